"""Queries and keys in float16, and whether they still give the weights that they gave before.

In all rows: one that nobody looked at may be the sharpest. Most need not be looked at, though. How
far a score can be off follows from how long query and key are, and from how much of them was
rounded away. Only rows in which that is too much are worked out both ways.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float16, Float32
from torch import Tensor

from vl_core.capture.evaluation import Evaluation
from vl_core.row_slices import reached, slices

_TOP = 15  # the largest number is brought to 2 to this power, which float16 still holds
_ROWS = 128  # compared at once: of more, a causal mask hides more within the block


@dataclass(frozen=True, eq=False)
class Halves:
    """An evaluation in float32 (or less), and the same with queries and keys in float16.

    query_scale, key_scale: powers of two that bring what is in float16 back to its size; the
    scaling of `rounded` has them in it.
    """

    exact: Evaluation
    rounded: Evaluation
    query_scale: float
    key_scale: float

    @classmethod
    def of(cls, exact: Evaluation) -> "Halves":
        """The evaluation, rounded; of numbers of any size."""
        queries, query_scale = _half(exact.queries.float())
        keys, key_scale = _half(exact.keys.float())
        scaling = exact.scaling * query_scale * key_scale
        rounded = replace(exact, queries=queries, keys=keys, scaling=scaling)
        return cls(exact, rounded, query_scale, key_scale)

    def are_within(self, limit: float) -> bool:
        """Whether rounding moves no weight of any head and row by more than this."""
        is_sure = self.largest_errors() <= limit  # written this way round, a nan is looked at
        return all(error <= limit for error in self._errors(~is_sure))

    def largest_errors(self) -> Float32[Tensor, "head query"]:
        """No weight of a row is further off than this, whatever the mask, the bias, the softcap.

        With q, k as they were, q', k' rounded: q' @ k' - q @ k = (q' - q) @ k' + q @ (k' - k), and
        no product of two vectors is larger than that of their lengths. Where no score of a row is
        off by more than e, the odds of a key against all others change at most by a factor of
        exp(2 e), and so a weight by tanh(e / 2), which is reached at weights near one half.
        """
        queries, keys = self.exact.queries, self.exact.keys
        queries_off = _lengths(_restored(self.rounded.queries, self.query_scale).sub_(queries))
        rounded_keys = _restored(self.rounded.keys, self.key_scale)
        longest = _lengths(rounded_keys).amax(dim=1)
        furthest = _lengths(rounded_keys.sub_(keys)).amax(dim=1)
        longest, furthest = (
            one.repeat_interleave(len(queries) // len(keys))[:, None] for one in (longest, furthest)
        )
        off = queries_off * longest + _lengths(queries.float()) * furthest
        return off.mul_(abs(self.exact.scaling) / 2).tanh_()

    def _errors(self, is_asked: Bool[Tensor, "head query"]) -> Iterator[float]:
        """The largest error of a weight in each block of rows of which any is asked for."""
        for rows in slices(is_asked.shape[1], _ROWS):
            heads = is_asked[:, rows].any(dim=1).nonzero().flatten().tolist()
            keys = reached(self.exact.allowed(rows)) if heads else slice(0)
            for head in heads:
                chosen = slice(head, head + 1), rows, keys
                yield float((self.rounded.rows(*chosen) - self.exact.rows(*chosen)).abs_().max())


def _half(values: Tensor) -> tuple[Float16[Tensor, "head token dim"], float]:
    """The values divided by a power of two, so that float16 can hold the largest, and the power."""
    largest = float(values.abs().max())
    scale = 2.0 ** (np.ceil(np.log2(largest)) - _TOP) if largest > 0 else 1.0
    return (values / scale).to(torch.float16), scale


def _restored(
    values: Float16[Tensor, "head token dim"], scale: float
) -> Float32[Tensor, "head token dim"]:
    return values.float().mul_(scale)


def _lengths(vectors: Float32[Tensor, "head token dim"]) -> Float32[Tensor, "head token"]:
    return torch.linalg.vector_norm(vectors, dim=-1)

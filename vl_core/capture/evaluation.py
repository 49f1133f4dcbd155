"""One attention evaluation while it is still in the model's memory, in full precision."""

from dataclasses import dataclass
from functools import cached_property
from math import gcd

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from vl_core.capture.masks import LiveMask

SAMPLED = 8  # rows and dimensions, or up to twice as many


@dataclass(frozen=True, eq=False)
class Sample:
    """What the model's own attention gave in some rows and dimensions, and the values it came from.

    It is a copy: what it was taken from, as large as queries and keys together, can go.
    """

    rows: slice
    values: Float[Tensor, "key_head key few"]
    output: Float[Tensor, "row head few"]

    @classmethod
    def of(
        cls,
        values: Float[Tensor, "key_head key value_dim"],
        output: Float[Tensor, "query head value_dim"],
    ) -> "Sample":
        """A sample of one sequence's values and of all that attention made of them."""
        rows, dims = (slice(None, None, max(1, n // SAMPLED)) for n in output.shape[::2])
        return cls(rows, values[..., dims].clone(), output[rows, :, dims].clone())


@dataclass(frozen=True, eq=False)
class Evaluation:
    """softmax(queries @ keys) of one sequence, as the model ran it, and a sample of its effect.

    Several query heads may share one key head. Weights are computed where they are asked for, in
    float32 whatever the model's precision. It is a source of rows for head statistics.
    first_query, first_key: where in their streams the evaluation begins; a module that looks
    through one window, picture or tile after another makes an evaluation of each.
    """

    queries: Float[Tensor, "head query dim"]
    keys: Float[Tensor, "key_head key dim"]
    sample: Sample
    mask: LiveMask
    scaling: float
    softcap: float | None = None
    first_query: int = 0
    first_key: int = 0

    @property
    def n_heads(self) -> int:
        """How many heads look."""
        return len(self.queries)

    @cached_property
    def query_positions(self) -> Int[np.ndarray, "query"]:
        """Where in its stream each query stands."""
        return self.first_query + np.arange(self.queries.shape[1])

    @cached_property
    def key_positions(self) -> Int[np.ndarray, "key"]:
        """Where in its stream each key stands."""
        return self.first_key + np.arange(self.keys.shape[1])

    def rows(
        self, heads: slice, queries: slice, keys: slice = slice(None)
    ) -> Float32[Tensor, "head row key"]:
        """Weights of the chosen heads and queries on the chosen keys; the others must be hidden.

        A row without a key is zero.
        """
        scores = self._products(heads, queries, keys)
        if self.softcap is not None:
            scores = torch.tanh(scores / self.softcap) * self.softcap
        weights = self.mask.applied(scores, heads, queries, keys).softmax(dim=-1)
        return weights.nan_to_num_(0) if self.mask.may_hide_all else weights

    def _products(
        self, heads: slice, queries: slice, keys: slice
    ) -> Float32[Tensor, "head row key"]:
        """Scores before anything is done to them."""
        chosen = range(self.n_heads)[heads]
        group = self.n_heads // len(self.keys)
        # Heads that share a key head multiply it as one, with the rows of all of them.
        shared = gcd(chosen.start, len(chosen), group)
        asked = self.queries[heads, queries].float() * self.scaling
        offered = self._keys_of([head // group for head in chosen[::shared]])[:, keys].float()
        products = asked.reshape(len(offered), -1, asked.shape[2]) @ offered.transpose(1, 2)
        return products.view(*asked.shape[:2], -1)

    def _keys_of(self, key_heads: list[int]) -> Float[Tensor, "some_heads key dim"]:
        first, last = key_heads[0], key_heads[-1]
        in_a_row = len(key_heads) == last - first + 1
        return self.keys[first : last + 1] if in_a_row else self.keys[key_heads]

    def allowed(self, queries: slice) -> Bool[Tensor, "row key"]:
        """For each of the chosen queries, which keys it may look at."""
        return self.mask.allowed(queries)

    def key_heads(self, heads: slice) -> Int[Tensor, "head"]:
        """Which key head each of the chosen heads looks with."""
        chosen = torch.arange(self.n_heads, device=self.keys.device)[heads]
        return chosen // (self.n_heads // len(self.keys))

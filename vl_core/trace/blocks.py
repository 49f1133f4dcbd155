"""One attention evaluation, kept either as its weights or as its queries and keys.

Queries and keys take n x d where the weights take n x n, and any row of the weights follows from
them in well under a millisecond. Nobody outside the stack knows which of the two was kept.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float16, Float32, Int

from vl_core.arrays import LayerAttention
from vl_core.errors import BudgetError, TraceError
from vl_core.frozen import freeze, own, take_over
from vl_core.trace.bias import DistanceBias
from vl_core.trace.masks import Mask

PRECISIONS = (np.float16, np.float32)  # of queries and keys


@dataclass(frozen=True, eq=False)
class KeptWeights:
    """The weights themselves, head x query x key in float16, with the mask they obeyed.

    The array becomes read-only as it is.
    """

    values: Float16[np.ndarray, "head query key"]
    mask: Mask = field(default_factory=Mask)

    def __post_init__(self) -> None:
        self.mask.check(*self.shape[1:])
        take_over(self.values)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Heads, queries, keys."""
        heads, queries, keys = self.values.shape
        return heads, queries, keys

    def rows(self, heads: slice, queries: slice) -> LayerAttention:
        """Weights of the chosen heads and queries on all keys, float32, rows summing to one.

        A row without any allowed key is all zero, whatever was kept of it.
        """
        weights = self.values[heads, queries].astype(np.float32)
        if not self.mask.allows_all:
            weights[:, ~self.mask.rows(queries, *self.shape[1:]).any(axis=1)] = 0
        # float16 rounds each weight; without this a row of many keys sums to 1 +- 1e-3.
        total = weights.sum(axis=-1, keepdims=True)
        return np.divide(weights, total, out=weights, where=total > 0)


@dataclass(frozen=True, eq=False)
class KeptQueriesKeys:
    """Queries (head x query x dim) and keys (key head x key x dim).

    In float16, or both in float32 where float16 has too few digits for these weights. Several query
    heads may share one key head. Scores are `queries @ keys * scaling`, bent by
    `softcap * tanh(scores / softcap)` where there is one, plus the bias where there is one. Both
    arrays become read-only as they are.
    """

    queries: Float[np.ndarray, "head query dim"]
    keys: Float[np.ndarray, "key_head key key_dim"]
    scaling: float
    softcap: float | None = None
    mask: Mask = field(default_factory=Mask)
    bias: DistanceBias | None = None

    def __post_init__(self) -> None:
        if not len(self.keys) or len(self.queries) % len(self.keys):
            raise TraceError(
                f"{len(self.queries)} query heads cannot share {len(self.keys)} key heads"
            )
        if self.queries.shape[2] != self.keys.shape[2]:
            raise TraceError(
                f"queries of {self.queries.shape[2]} dimensions for keys of {self.keys.shape[2]}"
            )
        if self.queries.dtype != self.keys.dtype or self.queries.dtype not in PRECISIONS:
            raise TraceError(
                f"queries of {self.queries.dtype} for keys of {self.keys.dtype}; both in float16 "
                "or both in float32 are wanted"
            )
        if not np.isfinite(self.scaling):
            raise TraceError(f"scores scaled by {self.scaling}; a finite number is wanted")
        if self.softcap is not None and not 0 < self.softcap < np.inf:
            raise TraceError(f"a softcap of {self.softcap}; a positive number is wanted")
        self.mask.check(*self.shape[1:])
        if self.bias is not None:
            self.bias.check(*self.shape)
        take_over(self.queries, self.keys)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Heads, queries, keys."""
        return len(self.queries), self.queries.shape[1], self.keys.shape[1]

    @property
    def is_precise(self) -> bool:
        """Whether its numbers are float32."""
        return bool(self.queries.dtype == np.float32)

    def rows(self, heads: slice, queries: slice) -> LayerAttention:
        """Weights of the chosen heads and queries on all keys, float32, rows summing to one."""
        return _softmax(self.scores(heads, queries))

    def _keys_of(self, heads: Int[np.ndarray, "head"]) -> Float32[np.ndarray, "head key dim"]:
        """The keys of each of these heads; those that several share are converted once."""
        needed, places = np.unique(
            heads // (len(self.queries) // len(self.keys)), return_inverse=True
        )
        return self.keys[needed].astype(np.float32, copy=False)[places]

    def scores(self, heads: slice, queries: slice) -> LayerAttention:
        """What the softmax is taken of, float32: -inf where the mask forbids a key."""
        n_heads, n_queries, n_keys = self.shape
        chosen = np.arange(*heads.indices(n_heads))
        asked = self.queries[chosen, queries].astype(np.float32) * np.float32(self.scaling)
        scores = asked @ self._keys_of(chosen).transpose(0, 2, 1)
        if self.softcap is not None:
            scores /= np.float32(self.softcap)
            np.tanh(scores, out=scores)
            scores *= np.float32(self.softcap)
        if self.bias is not None:
            scores += self.bias.rows(chosen, queries)
        if not self.mask.allows_all:
            hidden = ~self.mask.rows(queries, n_queries, n_keys)
            np.copyto(scores, np.float32(-np.inf), where=hidden)
        return np.asarray(scores)


@dataclass(frozen=True)
class KeptNothing:
    """Attention that was measured while the model ran, and for which there was no room.

    shape: heads, queries, keys.
    """

    shape: tuple[int, int, int]
    mask: Mask = field(default_factory=Mask)

    def __post_init__(self) -> None:
        self.mask.check(*self.shape[1:])

    def rows(self, heads: slice, queries: slice) -> LayerAttention:
        """There are none: raises BudgetError."""
        del heads, queries
        raise BudgetError(
            f"The weights of these {self.shape[0]} heads on {self.shape[2]} tokens were not kept: "
            "they did not fit the memory allowed for one analysis. The statistics of the heads "
            "were measured and are there. Choose a smaller picture, or allow more memory."
        )


Kept = KeptWeights | KeptQueriesKeys | KeptNothing


def _softmax(scores: LayerAttention) -> LayerAttention:
    """Softmax over the keys, in place; a row of -inf alone becomes all zero."""
    highest = scores.max(axis=-1, keepdims=True)
    scores -= np.where(np.isfinite(highest), highest, 0)
    weights = np.exp(scores, out=scores)
    total = weights.sum(axis=-1, keepdims=True)
    return np.divide(weights, total, out=weights, where=total > 0)


@dataclass(frozen=True, eq=False)
class Block:
    """One evaluation: these query positions of the stack look at these key positions.

    A layer with windows has one block for each window; most layers have a single one.
    """

    query_positions: Int[np.ndarray, "query"]
    key_positions: Int[np.ndarray, "key"]
    kept: Kept

    def __post_init__(self) -> None:
        wanted = self.kept.shape[1:]
        came = (len(self.query_positions), len(self.key_positions))
        if came != wanted:
            raise TraceError(
                f"positions of {came[0]} queries and {came[1]} keys for weights of "
                f"{wanted[0]} queries x {wanted[1]} keys"
            )
        freeze(
            self,
            query_positions=own(self.query_positions),
            key_positions=own(self.key_positions),
        )

"""Attention weights on demand: what is asked for is computed, and never more than a budget."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from vl_core.arrays import Attention, HeadAttention, LayerAttention
from vl_core.errors import BudgetError, TraceError

if TYPE_CHECKING:
    from vl_core.trace.blocks import Block
    from vl_core.trace.stack import Stack

Index = int | np.integer | slice

WHOLE_BUDGET = 256 * 2**20  # bytes: what one index, or np.asarray(stack.weights), may form
HEADS_BUDGET = 8 * 2**20  # bytes: heads that are formed together where all are gone through


@dataclass(frozen=True)
class Weights:
    """Attention weights that are computed where they are asked for, float32.

    `weights[layer]` is head x query x key, `weights[layer, head]` query x key, and
    `weights[layer, head, rows]` the chosen rows; each index is a number or a slice of heads or
    rows. `np.asarray(weights)` gives layer x head x query x key. Raises BudgetError where either
    would take more than the budget.
    """

    stack: "Stack"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Layers, heads, queries, keys."""
        stack = self.stack
        return stack.n_layers, stack.n_heads, len(stack.queries), len(stack.keys)

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Float[np.ndarray, "..."]:
        layer, head, row = _three(index)
        if not -self.shape[0] <= layer < self.shape[0]:
            raise IndexError(_out_of_range(layer, self.shape[0]))
        found = self._rows(layer, _as_slice(head, self.shape[1]), _as_slice(row, self.shape[2]))
        if isinstance(row, int | np.integer):
            found = found[:, 0]
        return found[0] if isinstance(head, int | np.integer) else found

    def _rows(self, layer: int, heads: slice, rows: slice) -> LayerAttention:
        wanted = np.arange(*rows.indices(self.shape[2]))
        n_heads = len(range(*heads.indices(self.shape[1])))
        self._check_budget(f"{n_heads} heads", n_heads * len(wanted) * self.shape[3])
        layer_blocks = self.stack.blocks[layer]
        if len(layer_blocks) == 1 and self._is_whole(layer_blocks[0]):
            return layer_blocks[0].kept.rows(heads, rows)
        found = np.zeros((n_heads, len(wanted), self.shape[3]), np.float32)
        for block in layer_blocks:
            place = np.full(self.shape[2], -1)
            place[block.query_positions] = np.arange(len(block.query_positions))
            here = np.flatnonzero(place[wanted] >= 0)
            if not here.size:
                continue
            inside = place[wanted[here]]
            span = slice(int(inside.min()), int(inside.max()) + 1)
            computed = block.kept.rows(heads, span)[:, inside - span.start]
            found[np.ix_(np.arange(n_heads), here, block.key_positions)] = computed
        return found

    def _is_whole(self, block: "Block") -> bool:
        """Whether the block is all queries on all keys in their order, so that nothing moves."""
        return _counts_up(block.query_positions, self.shape[2]) and _counts_up(
            block.key_positions, self.shape[3]
        )

    def _check_budget(self, what: str, count: int) -> None:
        if 4 * count > WHOLE_BUDGET:
            raise BudgetError(
                f"{what} of stack {self.stack.name} take {4 * count / 2**20:.0f} MB, more than the "
                f"{WHOLE_BUDGET / 2**20:.0f} MB allowed. Index fewer heads or rows at a time: "
                "weights[layer, head, rows]."
            )

    def of_heads(self, layer: int) -> Iterator[LayerAttention]:
        """All heads of a layer in turn, a few together where they are small."""
        _, n_heads, n_queries, n_keys = self.shape
        step = max(1, HEADS_BUDGET // max(1, 4 * n_queries * n_keys))
        return (self[layer, start : start + step] for start in range(0, n_heads, step))

    def mean_over_heads(self, layer: int) -> HeadAttention:
        """Query x key; each row is a distribution over keys, as a mean of distributions is one."""
        heads = self.of_heads(layer)
        total = next(heads).sum(axis=0)
        for some in heads:
            for head in some:
                total += head
        total /= self.shape[1]
        return np.asarray(total)

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> Attention:  # noqa: FBT001 numpy's protocol
        self._check_budget("All weights", int(np.prod(self.shape)))
        whole = np.empty(self.shape, np.float32)
        for layer in range(self.shape[0]):
            whole[layer] = self[layer]
        return whole if dtype is None else whole.astype(dtype)


def _three(index: Index | tuple[Index, ...]) -> tuple[int, Index, Index]:
    """Layer, heads and rows; those that are not given are all."""
    given = index if isinstance(index, tuple) else (index,)
    layer, heads, rows = (*given, slice(None), slice(None), slice(None))[:3]
    known = all(isinstance(part, int | np.integer | slice) for part in given)
    if isinstance(layer, slice) or len(given) > 3 or not known:
        raise TraceError(
            "weights are indexed by one layer, then heads and rows as numbers or slices: "
            "weights[layer, heads, rows]"
        )
    return int(layer), heads, rows


def _counts_up(positions: np.ndarray, count: int) -> bool:
    return len(positions) == count and bool((positions == np.arange(count)).all())


def _as_slice(index: Index, size: int) -> slice:
    if isinstance(index, slice):
        return index
    if not -size <= index < size:
        raise IndexError(_out_of_range(index, size))
    return slice(int(index) % size, int(index) % size + 1)


def _out_of_range(index: Index, size: int) -> str:
    return f"{index} is out of range: there are {size}, counted from 0"

"""The attention of one stream on itself or on another: layer x head x query x key, on demand."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from vl_core.arrays import AllowedKeys, Attention, HeadMap, LayerAttention
from vl_core.errors import BudgetError, TraceError
from vl_core.example import Region
from vl_core.trace.blocks import Block, KeptWeights
from vl_core.trace.tokens import TokenTable

Index = int | np.integer | slice

WHOLE_BUDGET = 256 * 2**20  # bytes: what np.asarray(stack.weights) may form at once


@dataclass(frozen=True)
class Stack:
    """The attention of `query_stream` on `key_stream`, each row a distribution over keys.

    layers: the model's own layer numbers, from 0. blocks: for each of them, its evaluations.
    head_stats: statistics measured on the live weights at capture, by key, layer x head.
    regions: places in the picture known beforehand, with the words that name them.
    Raises TraceError if parts do not fit together.
    """

    name: str
    query_stream: str
    key_stream: str
    queries: TokenTable
    keys: TokenTable
    layers: tuple[int, ...]
    blocks: tuple[tuple[Block, ...], ...]
    head_stats: Mapping[str, HeadMap] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        if not self.blocks or len(self.layers) != len(self.blocks):
            raise TraceError(
                f"stack {self.name}: {len(self.layers)} layer numbers for {len(self.blocks)} "
                "layers of attention; at least one layer, and one number for each, is wanted"
            )
        for number, layer in zip(self.layers, self.blocks, strict=True):
            self._check_layer(number, layer)
        for key, values in self.head_stats.items():
            if values.shape != (self.n_layers, self.n_heads):
                raise TraceError(
                    f"stack {self.name}: statistic {key} has shape {values.shape}, wanted "
                    f"{self.n_layers} layers x {self.n_heads} heads"
                )

    def _check_layer(self, number: int, layer: tuple[Block, ...]) -> None:
        seen = np.zeros(len(self.queries), int)
        for block in layer:
            if block.kept.shape[0] != self.n_heads:
                raise TraceError(
                    f"stack {self.name}, layer {number}: {block.kept.shape[0]} heads where the "
                    f"first layer has {self.n_heads}"
                )
            where = f"stack {self.name}, layer {number}"
            _check_positions(f"{where}: a query", block.query_positions, len(self.queries))
            _check_positions(f"{where}: a key", block.key_positions, len(self.keys))
            _check_rows(where, block)
            seen[block.query_positions] += 1
        if (seen != 1).any():
            raise TraceError(
                f"stack {self.name}, layer {number}: query {int((seen != 1).argmax())} is looked "
                f"through {int(seen[(seen != 1).argmax()])} times, wanted once"
            )

    @property
    def n_layers(self) -> int:
        """How many layers of attention there are."""
        return len(self.blocks)

    @property
    def n_heads(self) -> int:
        """How many heads each layer has."""
        return self.blocks[0][0].kept.shape[0]

    @property
    def weights(self) -> "Weights":
        """The weights, computed where they are indexed by layer, head and rows."""
        return Weights(self)

    def allowed(self, layer: int) -> AllowedKeys:
        """Which keys each query of this layer (counted within the stack) may look at."""
        table = np.zeros((len(self.queries), len(self.keys)), bool)
        for block in self.blocks[layer]:
            _, n_queries, n_keys = block.kept.shape
            table[np.ix_(block.query_positions, block.key_positions)] = block.kept.mask.rows(
                slice(None), n_queries, n_keys
            )
        return table


def _check_positions(what: str, positions: Int[np.ndarray, "token"], count: int) -> None:
    """Each position is one of the stream's tokens, and none comes twice in a block."""
    for wrong in positions[(positions < 0) | (positions >= count)]:
        raise TraceError(f"{what} at position {wrong}, but there are {count} tokens, from 0")
    if len(np.unique(positions)) < len(positions):
        raise TraceError(f"{what} comes twice in one block")


def _check_rows(where: str, block: Block) -> None:
    """Nothing infinite, and kept weights are distributions over the keys that are allowed."""
    if isinstance(block.kept, KeptWeights):
        _check_weights(where, block.kept)
        return
    for name in ("queries", "keys"):
        if not np.isfinite(getattr(block.kept, name)).all():
            raise TraceError(f"{where}: {name} that are not finite")


def _check_weights(where: str, kept: KeptWeights) -> None:
    """Each row sums to one; that of a query with no key at all may hold anything or nothing."""
    if not np.isfinite(kept.values).all():
        raise TraceError(f"{where}: weights that are not finite")
    _, n_queries, n_keys = kept.shape
    allowed = kept.mask.rows(slice(None), n_queries, n_keys)
    weights = kept.values[:, allowed.any(axis=1)].astype(np.float32)
    sums = weights.sum(axis=-1)
    # float16 rounds each weight by at most half a thousandth of itself, so a sum by no more.
    wrong = abs(sums - 1) > 2e-3
    if wrong.any():
        raise TraceError(f"{where}: a row of attention sums to {sums[wrong][0]:.4f}, wanted 1")
    if (weights < 0).any():
        raise TraceError(f"{where}: a weight of {weights.min():.4f}, wanted none below 0")
    if weights[:, ~allowed[allowed.any(axis=1)]].any():
        raise TraceError(f"{where}: attention on a key that the mask forbids")


@dataclass(frozen=True)
class Weights:
    """Attention weights that are computed where they are asked for, float32.

    `weights[layer]` is head x query x key, `weights[layer, head]` query x key, and
    `weights[layer, head, rows]` the chosen rows; each index is a number or a slice of heads or
    rows. `np.asarray(weights)` gives layer x head x query x key while it fits the budget.
    """

    stack: Stack

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
        found = np.zeros((n_heads, len(wanted), self.shape[3]), np.float32)
        for block in self.stack.blocks[layer]:
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

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> Attention:  # noqa: FBT001 numpy's protocol
        size = 4 * int(np.prod(self.shape))
        if size > WHOLE_BUDGET:
            raise BudgetError(
                f"All weights of stack {self.stack.name} take {size / 2**20:.0f} MB, more than the "
                f"{WHOLE_BUDGET / 2**20:.0f} MB allowed. Index them by layer and head instead."
            )
        whole = np.stack([self[layer] for layer in range(self.shape[0])])
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


def _as_slice(index: Index, size: int) -> slice:
    if isinstance(index, slice):
        return index
    if not -size <= index < size:
        raise IndexError(_out_of_range(index, size))
    return slice(int(index) % size, int(index) % size + 1)


def _out_of_range(index: Index, size: int) -> str:
    return f"{index} is out of range: there are {size}, counted from 0"

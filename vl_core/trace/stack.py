"""The attention of one stream on itself or on another: layer x head x query x key, on demand."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from vl_core.arrays import AllowedKeys, Attention, HeadMap, LayerAttention
from vl_core.errors import BudgetError, TraceError
from vl_core.example import Region
from vl_core.trace.blocks import Block, KeptWeights
from vl_core.trace.tokens import TokenTable

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
            if block.key_positions.max(initial=-1) >= len(self.keys):
                raise TraceError(f"stack {self.name}, layer {number}: a key beyond the last token")
            if block.query_positions.max(initial=-1) >= len(self.queries):
                raise TraceError(f"stack {self.name}, layer {number}: a query beyond the last one")
            seen[block.query_positions] += 1
            _check_rows(f"stack {self.name}, layer {number}", block)
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


def _check_rows(where: str, block: Block) -> None:
    """Kept weights are distributions: finite, and each row sums to one or, all masked, to zero."""
    if not isinstance(block.kept, KeptWeights):
        for name in ("queries", "keys"):
            if not np.isfinite(getattr(block.kept, name)).all():
                raise TraceError(f"{where}: {name} that are not finite")
        return
    sums = block.kept.values.astype(np.float32).sum(axis=-1)
    # float16 rounds each weight by at most half a thousandth of itself, so a sum by no more.
    if not ((abs(sums - 1) < 2e-3) | (sums == 0)).all():
        worst = float(sums.flat[np.nan_to_num(abs(sums - 1), nan=np.inf).argmax()])
        raise TraceError(f"{where}: a row of attention sums to {worst:.4f}, wanted 1")


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

    def __getitem__(self, index: int | tuple[int | slice, ...]) -> Float[np.ndarray, "..."]:
        layer, head, row = (*(index if isinstance(index, tuple) else (index,)), *_ALL)[:3]
        if not isinstance(layer, int | np.integer):
            raise TraceError("weights are indexed by one layer at a time: weights[layer, head]")
        found = self._rows(
            int(layer), _as_slice(head, self.shape[1]), _as_slice(row, self.shape[2])
        )
        if isinstance(row, int | np.integer):
            found = found[:, 0]
        return found[0] if isinstance(head, int | np.integer) else found

    def _rows(self, layer: int, heads: slice, rows: slice) -> LayerAttention:
        wanted = np.arange(*rows.indices(self.shape[2]))
        n_heads = len(range(*heads.indices(self.shape[1])))
        found = np.zeros((n_heads, len(wanted), self.shape[3]), np.float32)
        for block in self.stack.blocks[layer]:
            here = np.flatnonzero(np.isin(wanted, block.query_positions))
            if not here.size:
                continue
            place = {int(position): i for i, position in enumerate(block.query_positions)}
            inside = [place[int(position)] for position in wanted[here]]
            span = slice(min(inside), max(inside) + 1)
            computed = block.kept.rows(heads, span)[:, np.array(inside) - span.start]
            found[np.ix_(np.arange(n_heads), here, block.key_positions)] = computed
        return found

    def __array__(self, dtype: type | None = None, copy: bool | None = None) -> Attention:  # noqa: FBT001 numpy's protocol
        size = 4 * int(np.prod(self.shape))
        if size > WHOLE_BUDGET:
            raise BudgetError(
                f"All weights of stack {self.stack.name} take {size / 2**20:.0f} MB, more than the "
                f"{WHOLE_BUDGET / 2**20:.0f} MB allowed. Index them by layer and head instead."
            )
        whole = np.stack([self[layer] for layer in range(self.shape[0])])
        return whole if dtype is None else whole.astype(dtype)


_ALL = (slice(None), slice(None))


def _as_slice(index: int | slice, size: int) -> slice:
    if isinstance(index, slice):
        return index
    if not -size <= index < size:
        raise IndexError(f"{index} is out of range: there are {size}, counted from 0")
    return slice(index % size, index % size + 1)

"""The attention of one stream on itself or on another: layer x head x query x key, on demand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Int

from vl_core.arrays import AllowedKeys, HeadMap
from vl_core.counted import counted
from vl_core.errors import TraceError
from vl_core.example import Region
from vl_core.frozen import freeze, own_mapping
from vl_core.trace.blocks import Block, KeptNothing, KeptWeights
from vl_core.trace.masks import Mask
from vl_core.trace.tokens import TokenTable
from vl_core.trace.weights import Weights


@dataclass(frozen=True, eq=False)
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
        if len(set(self.layers)) < len(self.layers):
            raise TraceError(f"stack {self.name}: layer numbers {self.layers}, wanted each once")
        for number, layer in zip(self.layers, self.blocks, strict=True):
            self._check_layer(number, layer)
        for key, values in self.head_stats.items():
            if values.shape != (self.n_layers, self.n_heads):
                raise TraceError(
                    f"stack {self.name}: statistic {key} has shape {values.shape}, wanted "
                    f"{self.n_layers} layers x {self.n_heads} heads"
                )
            if np.isinf(values).any():
                raise TraceError(f"stack {self.name}: statistic {key} holds infinite values")
        freeze(self, blocks=_sharing_masks(self.blocks), head_stats=own_mapping(self.head_stats))

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
        # Across streams some tokens of a stream may not look at the other: their rows are empty.
        wrong = seen != 1 if self.is_self_attention else seen > 1
        if wrong.any():
            raise TraceError(
                f"stack {self.name}, layer {number}: query {int(wrong.argmax())} is looked "
                f"through {int(seen[wrong.argmax()])} times, wanted once"
            )

    def __repr__(self) -> str:
        """In one line: how many layers, heads, queries and keys, and what is kept."""
        layers, heads = counted(self.n_layers, "layer"), counted(self.n_heads, "head")
        queries = counted(len(self.queries), "query", "queries")
        kept = "weights of all layers kept"
        if not self.is_kept:
            kept = f"weights of {counted(len(self.kept_layers), 'layer')} kept"
        return (
            f"<Stack {self.name}: {layers} x {heads}, {queries} x "
            f"{counted(len(self.keys), 'key')}, {kept}>"
        )

    @property
    def is_self_attention(self) -> bool:
        """Whether a stream looks at itself, so that a token can look at itself."""
        return self.queries is self.keys

    @property
    def kept_layers(self) -> tuple[int, ...]:
        """The layers (counted within the stack) whose weights can be had.

        Of the others there are only the statistics that were measured.
        """
        return tuple(
            number
            for number, layer in enumerate(self.blocks)
            if not any(isinstance(block.kept, KeptNothing) for block in layer)
        )

    @property
    def is_kept(self) -> bool:
        """Whether the weights of all layers can be had."""
        return len(self.kept_layers) == self.n_layers

    def of_layers(self, chosen: Sequence[int]) -> "Stack":
        """The stack with these layers only, counted within the stack; at least one."""
        rows = list(chosen)
        return replace(
            self,
            layers=tuple(self.layers[layer] for layer in rows),
            blocks=tuple(self.blocks[layer] for layer in rows),
            head_stats={key: values[rows] for key, values in self.head_stats.items()},
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


def _sharing_masks(layers: tuple[tuple[Block, ...], ...]) -> tuple[tuple[Block, ...], ...]:
    """The same blocks; tables of allowed keys that are equal are one table."""
    shared: dict[Mask, Mask] = {}
    return tuple(tuple(_with_shared_mask(block, shared) for block in layer) for layer in layers)


def _with_shared_mask(block: Block, shared: dict[Mask, Mask]) -> Block:
    mask = shared.setdefault(block.kept.mask, block.kept.mask)
    if mask is block.kept.mask:
        return block
    return replace(block, kept=replace(block.kept, mask=mask))


def _check_positions(what: str, positions: Int[np.ndarray, "token"], count: int) -> None:
    """Each position is one of the stream's tokens, and none comes twice in a block."""
    for wrong in positions[(positions < 0) | (positions >= count)]:
        raise TraceError(f"{what} at position {wrong}, but there are {count} tokens, from 0")
    if len(np.unique(positions)) < len(positions):
        raise TraceError(f"{what} comes twice in one block")


def _check_rows(where: str, block: Block) -> None:
    """Nothing infinite, and kept weights are distributions over the keys that are allowed."""
    if isinstance(block.kept, KeptNothing):
        return
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

"""One pass over the rows of each layer for any number of statistics."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from vl_core.arrays import HeadMap
from vl_core.head_stats.row_blocks import RowBlock, side_by_side
from vl_core.head_stats.rows import Rows, RowSource
from vl_core.head_stats.tables import Tables

if TYPE_CHECKING:
    import torch

Totals = Float[np.ndarray, "head few"]
PerHead = Float[np.ndarray, "head"]

BLOCK_BYTES = 4 * 2**20  # of weights at once: 1 MB and 16 MB both took longer
BLOCK_ROWS = 256  # at most: enough to keep the matrix products thick


@runtime_checkable
class Reduction(Protocol):
    """The part of a statistic that a pass needs."""

    @property
    def key(self) -> str:
        """Its name in files."""

    @property
    def partial(self) -> Callable[[RowBlock], "torch.Tensor"]:
        """Totals of one block, head x few."""

    @property
    def finish(self) -> Callable[[Totals], PerHead]:
        """One number per head from a layer's totals."""


def stored_key(key: str, *, with_specials: bool) -> str:
    """Under which name a trace keeps a statistic."""
    return key if with_specials else f"{key}/without_specials"


def measured(
    layers: Iterable[Sequence[RowSource]],
    tables: Tables,
    statistics: Sequence[Reduction],
    variants: Sequence[bool] = (True, False),
) -> dict[str, HeadMap]:
    """Each statistic, layer x head, with special tokens (True) and without (False)."""
    wanted = [(statistic, variant) for variant in variants for statistic in statistics]
    totals = [_layer_totals(sources, tables, wanted) for sources in layers]
    return {
        stored_key(statistic.key, with_specials=variant): _finished(statistic, layers_of_one)
        for (statistic, variant), layers_of_one in zip(
            wanted, zip(*totals, strict=True), strict=True
        )
    }


def _finished(statistic: Reduction, layers: Sequence[Totals]) -> HeadMap:
    """One number per head, all layers at once."""
    totals = np.concatenate(layers)
    return np.asarray(statistic.finish(totals).reshape(len(layers), -1))


def _layer_totals(
    sources: Sequence[RowSource], tables: Tables, wanted: Sequence[tuple[Reduction, bool]]
) -> list[Totals]:
    """For each statistic the totals over all blocks of a layer, head x few."""
    totals: list[Totals] = []
    for source in sources:
        for heads, block in _blocks(source, tables):
            partials = _partials(block, wanted)
            if not totals:
                totals = [np.zeros((source.n_heads, part.shape[1])) for part in partials]
            for total, part in zip(totals, partials, strict=True):
                total[heads] += part
    return totals


def _partials(block: RowBlock, wanted: Sequence[tuple[Reduction, bool]]) -> list[Totals]:
    blocks = {True: block}
    if not all(with_specials for _, with_specials in wanted):
        blocks[False] = block.without_specials()
    parts = [statistic.partial(blocks[with_specials]) for statistic, with_specials in wanted]
    widths = [part.shape[1] for part in parts]
    # One transfer for all of them: on an accelerator each would wait for the device.
    together = side_by_side(parts).double().cpu().numpy()
    return np.split(together, np.cumsum(widths)[:-1], axis=1)


def _blocks(source: RowSource, tables: Tables) -> Iterator[tuple[slice, RowBlock]]:
    """The source's weights, some heads and rows at a time, each block within the budget."""
    row_bytes = 4 * len(source.key_positions)
    n_rows = int(np.clip(BLOCK_BYTES // row_bytes, 1, BLOCK_ROWS))
    for queries in _slices(len(source.query_positions), n_rows):
        chunk_rows = queries.stop - queries.start
        rows = None
        for heads in _slices(source.n_heads, max(1, BLOCK_BYTES // (row_bytes * chunk_rows))):
            weights = source.rows(heads, queries)
            rows = rows or _rows(source, queries, tables, weights)
            yield heads, RowBlock.of(rows, weights[..., : len(rows.key_positions)])


def _rows(source: RowSource, queries: slice, tables: Tables, weights: "torch.Tensor") -> Rows:
    allowed = source.allowed(queries)
    # Under a causal mask the first rows reach few keys: what lies beyond them is left out.
    reached = allowed.any(dim=0).nonzero()
    n_keys = int(reached.max()) + 1 if len(reached) else 1
    key_positions = source.key_positions[:n_keys]
    is_padding = allowed.new_tensor(tables.keys.is_padding[key_positions])
    allowed = allowed[:, :n_keys] & ~is_padding
    like = weights.new_empty(0)
    return Rows(tables, source.query_positions[queries], key_positions, allowed, like)


def _slices(count: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]

"""One pass over the rows of each layer for any number of statistics."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from vl_core.arrays import HeadMap
from vl_core.head_stats.known_rows import KnownRows
from vl_core.head_stats.row_blocks import RowBlock, side_by_side
from vl_core.head_stats.rows import RowSource
from vl_core.head_stats.tables import Tables
from vl_core.row_slices import reached, slices

if TYPE_CHECKING:
    import torch

Totals = Float[np.ndarray, "head few"]
PerHead = Float[np.ndarray, "head"]

Partial = Callable[[RowBlock], "torch.Tensor"]

BLOCK_BYTES = 4 * 2**20  # of weights at once: 1 MB and 16 MB both took longer
BLOCK_ROWS = 128  # or up to twice as many: of more, a causal mask hides more within the block


@runtime_checkable
class Reduction(Protocol):
    """The part of a statistic that a pass needs."""

    @property
    def key(self) -> str:
        """Its name in files."""

    @property
    def partial(self) -> Partial:
        """Totals of one block, head x few."""

    @property
    def finish(self) -> Callable[[Totals], PerHead]:
        """One number per head from a layer's totals."""


def stored_key(key: str, *, with_specials: bool) -> str:
    """Under which name a trace keeps a statistic."""
    return key if with_specials else f"{key}/without_specials"


class Pass:
    """Totals of statistics that grow by one evaluation after another, each given and dropped.

    Several evaluations of a layer add up; queries that none of them covers take part in no mean.
    """

    def __init__(
        self,
        tables: Tables,
        statistics: Sequence[Reduction],
        variants: Sequence[bool] = (True, False),
    ) -> None:
        """Variants: with special tokens (True), without (False)."""
        self._rows = KnownRows(tables)
        self._wanted = [(statistic, variant) for variant in variants for statistic in statistics]
        # Many statistics are read off the same totals.
        partials = ((statistic.partial, variant) for statistic, variant in self._wanted)
        self._partials = list(dict.fromkeys(partials))
        self._totals: dict[int, Totals] = {}
        self._widths: list[int] = []

    def add(self, layer: int, source: RowSource) -> None:
        """Take in one evaluation of a layer; layers may come in any order."""
        for heads, block in _blocks(source, self._rows):
            blocks = {True: block, False: block.without_specials}
            parts = [partial(blocks[variant]) for partial, variant in self._partials]
            self._widths = [part.shape[1] for part in parts]
            # One transfer for all of them: on an accelerator each would wait for the device.
            totals = side_by_side(parts).cpu().double().numpy()
            if layer not in self._totals:
                self._totals[layer] = np.zeros((source.n_heads, totals.shape[1]))
            self._totals[layer][heads] += totals

    def finished(self) -> dict[str, HeadMap]:
        """Each statistic, layer x head, under its stored key; layers in the order of numbers."""
        layers = [self._totals[layer] for layer in sorted(self._totals)]
        together = np.split(np.concatenate(layers), np.cumsum(self._widths)[:-1], axis=1)
        totals = dict(zip(self._partials, together, strict=True))
        return {
            stored_key(statistic.key, with_specials=variant): np.asarray(
                statistic.finish(totals[statistic.partial, variant]).reshape(len(layers), -1)
            )
            for statistic, variant in self._wanted
        }


def measured(layers: Iterable[Iterable[RowSource]], running: Pass) -> dict[str, HeadMap]:
    """What the pass makes of the sources of each layer, taken one layer after another."""
    for layer, sources in enumerate(layers):
        for source in sources:
            running.add(layer, source)
    return running.finished()


def _blocks(source: RowSource, known: KnownRows) -> Iterator[tuple[slice, RowBlock]]:
    """The source's weights, some heads and rows at a time, each block within the budget."""
    n_queries, n_keys = len(source.query_positions), len(source.key_positions)
    most = n_queries if n_queries <= 2 * BLOCK_ROWS else BLOCK_ROWS
    for queries in slices(n_queries, min(most, _within_budget(n_keys))):
        allowed = source.allowed(queries)
        keys = reached(allowed)
        positions = source.query_positions[queries], source.key_positions[keys]
        row_size = (queries.stop - queries.start) * len(positions[1])
        rows = None
        for heads in slices(source.n_heads, _within_budget(row_size)):
            weights = source.rows(heads, queries, keys)
            rows = rows or known.of(*positions, allowed[:, keys], weights.new_empty(0))
            yield heads, RowBlock.of(rows, weights)


def _within_budget(numbers: int) -> int:
    """How many times as many numbers keep to the budget, at least once."""
    return max(1, BLOCK_BYTES // (4 * numbers))

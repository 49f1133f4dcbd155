"""The statistics that every trace carries, and measuring them on a model that has just run."""

from collections.abc import Iterable, Sequence

from vl_core.arrays import HeadMap
from vl_core.example import Region
from vl_core.head_stats.grounding import OF_CLASS_TOKEN, OF_WORDS
from vl_core.head_stats.modalities import (
    CROSS_MODAL_MASS,
    INTRA_MODAL_MASS,
    LIFTS,
    MASSES,
    MEAN_WEIGHTS,
    SPECIAL_SHARE,
    WITHOUT_SELF_MASS,
    WITHOUT_SELF_MEAN_WEIGHT,
)
from vl_core.head_stats.passes import Pass, measured
from vl_core.head_stats.places import DIAGONAL, PREVIOUS_TOKEN, REACH
from vl_core.head_stats.rows import RowSource
from vl_core.head_stats.spread import CONCENTRATION, ENTROPY, ENTROPY_IN_NATS
from vl_core.head_stats.statistic import BlockStatistic
from vl_core.head_stats.tables import Tables
from vl_core.trace import TokenTable

STATISTICS: tuple[BlockStatistic, ...] = (
    *MASSES,
    *MEAN_WEIGHTS,
    *LIFTS,
    CROSS_MODAL_MASS,
    INTRA_MODAL_MASS,
    WITHOUT_SELF_MASS,
    WITHOUT_SELF_MEAN_WEIGHT,
    ENTROPY,
    ENTROPY_IN_NATS,
    SPECIAL_SHARE,
    REACH,
    CONCENTRATION,
    DIAGONAL,
    PREVIOUS_TOKEN,
    *OF_WORDS,
    *OF_CLASS_TOKEN,
)


class Measuring(Pass):
    """The statistics of a stack while its evaluations come, each given once and then dropped.

    Self-attention is told by `queries` and `keys` being the same table. `finished` gives each
    statistic under its key and, with special tokens dropped, under its key + "/without_specials";
    layer x head, nan where missing.
    """

    def __init__(
        self,
        queries: TokenTable,
        keys: TokenTable,
        regions: tuple[Region, ...] = (),
        statistics: Sequence[BlockStatistic] = STATISTICS,
    ) -> None:
        super().__init__(Tables(queries, keys, regions), statistics)


def measure(
    layers: Iterable[Sequence[RowSource]],
    queries: TokenTable,
    keys: TokenTable,
    regions: tuple[Region, ...] = (),
    statistics: Sequence[BlockStatistic] = STATISTICS,
) -> dict[str, HeadMap]:
    """The statistics of a stack in one pass over its rows, as `Stack.head_stats` keeps them.

    layers: for each layer its sources, taken one layer after another; the rest as in `Measuring`.
    """
    return measured(layers, Measuring(queries, keys, regions, statistics))

"""How widely a head spreads its attention over the keys it may look at."""

from functools import partial
from typing import TYPE_CHECKING

from vl_core.head_stats.row_blocks import RowBlock, columns
from vl_core.head_stats.statistic import BlockStatistic, ratio

if TYPE_CHECKING:
    import torch


def entropies(block: RowBlock) -> "torch.Tensor":
    """Totals of the queries that look: entropy, and how many queries there are.

    Then, of those with more than one allowed key, each one's entropy divided by the greatest it
    can have, and how many of these there are: a query with a single key has no choice.
    """
    rows = block.rows
    return columns(
        block.entropy @ rows.chosen(),
        block.looks @ rows.chosen(),
        block.entropy @ (rows.choosing / rows.greatest_entropy),
        block.looks @ rows.choosing,
    )


def concentration(block: RowBlock) -> "torch.Tensor":
    """Summed Gini coefficient of the queries with more than one allowed key, and their number."""
    return columns(block.gini @ block.rows.choosing, block.looks @ block.rows.choosing)


ENTROPY = BlockStatistic(
    key="entropy",
    name="Entropy",
    unit="share of the greatest possible",
    definition=(
        "The entropy of a query's attention over its allowed keys, divided by the logarithm of "
        "their number, averaged over the queries with more than one: 0 is one key, 1 all alike."
    ),
    source="Clark et al. 2019",
    partial=entropies,
    finish=partial(ratio, over=(2,), under=(3,)),
)
ENTROPY_IN_NATS = BlockStatistic(
    key="entropy_in_nats",
    name="Entropy in nats",
    unit="nats",
    range=(0.0, None),
    definition=(
        "The entropy of a query's attention over its allowed keys with the natural logarithm, "
        "averaged over all queries."
    ),
    source="Clark et al. 2019",
    partial=entropies,
)
CONCENTRATION = BlockStatistic(
    key="concentration",
    name="Concentration",
    unit="Gini coefficient",
    definition=(
        "The Gini coefficient of a query's attention over its allowed keys, averaged over the "
        "queries with more than one: 0 is all keys alike, towards 1 one key has all."
    ),
    partial=concentration,
)

"""How widely a head spreads its attention over the keys it may look at."""

from typing import TYPE_CHECKING

import numpy as np

from vl_core.head_stats.row_blocks import RowBlock
from vl_core.head_stats.statistic import BlockStatistic

if TYPE_CHECKING:
    import torch


def entropy_in_nats(block: RowBlock) -> "torch.Tensor":
    """Summed entropy of the queries' attention, and how many queries there are."""
    return block.sum_and_count(block.entropy, block.rows.chosen())


def entropy(block: RowBlock) -> "torch.Tensor":
    """The same, each query's entropy divided by the greatest it can have.

    A query with a single allowed key has no choice; 0 / 0 is left out of the mean.
    """
    n_allowed = block.rows.n_allowed()
    chosen = block.rows.chosen() * (n_allowed > 1)
    return block.sum_and_count(block.entropy / n_allowed.clamp(min=2).log(), chosen)


def concentration(block: RowBlock) -> "torch.Tensor":
    """Summed Gini coefficient of the queries' attention, and how many queries there are."""
    chosen = block.rows.chosen() * (block.rows.n_allowed() > 1)
    return block.sum_and_count(_gini(block), chosen)


def _gini(block: RowBlock) -> "torch.Tensor":
    """Head x row: the Gini coefficient over the allowed keys; 0 where a query looks nowhere.

    With m allowed keys and their weights sorted, it is sum((2 i - m - 1) w_i) / (m sum(w)), i from
    1. Disallowed keys weigh 0, so they sort to the front and only shift i.
    """
    n_keys, n_allowed = block.weights.shape[-1], block.rows.n_allowed()
    ranks = block.rows.numbers(np.arange(1, n_keys + 1))
    total = block.mass("any")
    ranked = _ascending(block.weights) @ ranks - total * (n_keys - n_allowed)
    share = (2 * ranked - (n_allowed + 1) * total) / n_allowed.clamp(min=1)
    return share / total.masked_fill(total == 0, 1)


def _ascending(weights: "torch.Tensor") -> "torch.Tensor":
    """Each row's weights from the smallest to the largest."""
    if weights.device.type != "cpu":
        return weights.sort(dim=-1).values
    # numpy sorts with the processor's vector instructions, here some thirty times as fast.
    return weights.new_tensor(np.sort(weights.numpy(), axis=-1))


ENTROPY = BlockStatistic(
    key="entropy",
    name="Entropy",
    unit="share of the greatest possible",
    definition=(
        "The entropy of a query's attention over its allowed keys, divided by the logarithm of "
        "their number, averaged over the queries with more than one: 0 is one key, 1 all alike."
    ),
    source="Clark et al. 2019",
    partial=entropy,
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
    partial=entropy_in_nats,
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

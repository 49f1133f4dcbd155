"""Where a head looks from where it stands: itself, the token before, patches near or far."""

from typing import TYPE_CHECKING

from vl_core.head_stats.modalities import SHARE
from vl_core.head_stats.row_blocks import RowBlock, columns
from vl_core.head_stats.statistic import BlockStatistic

if TYPE_CHECKING:
    import torch


def diagonal(block: RowBlock) -> "torch.Tensor":
    """Summed weight of the queries on themselves, and how many may look there."""
    return _weight_at(block, *block.rows.same)


def previous_token(block: RowBlock) -> "torch.Tensor":
    """Summed weight of the queries on the token before them, and how many may look there."""
    return _weight_at(block, *block.rows.previous)


def _weight_at(block: RowBlock, rows: "torch.Tensor", keys: "torch.Tensor") -> "torch.Tensor":
    chosen = block.rows.chosen()[rows]
    return columns(block.weights_at(rows, keys) @ chosen, block.looks[:, rows] @ chosen)


def reach(block: RowBlock) -> "torch.Tensor":
    """Summed mean distance to the patches looked at, and how many patches look at any."""
    rows, _ = block.rows.patches
    chosen = block.rows.chosen("placed")[rows]
    looks = (block.sums.placed[:, rows] > 0).to(chosen.dtype)
    return columns(block.sums.distances @ chosen, looks @ chosen)


DIAGONAL = BlockStatistic(
    key="diagonal",
    name="Diagonal",
    unit=SHARE,
    definition="The weight of a query on itself as key, averaged over the queries that may do so.",
    source="Clark et al. 2019",
    partial=diagonal,
)
PREVIOUS_TOKEN = BlockStatistic(
    key="previous_token",
    name="Previous token",
    unit=SHARE,
    definition=(
        "The weight of a query on the key one position before it in the sequence, averaged over "
        "the queries that may look there."
    ),
    source="Clark et al. 2019",
    partial=previous_token,
)
REACH = BlockStatistic(
    key="reach",
    name="Reach",
    unit="patches",
    range=(0.0, None),
    definition=(
        "The distance between the centres of an image query's patch and the image keys' patches, "
        "averaged with the attention weights on them, then over the image queries."
    ),
    source="Raghu et al. 2021 (mean attention distance)",
    partial=reach,
)

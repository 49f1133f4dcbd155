"""Whether words look at the place in the picture that they name."""

from typing import TYPE_CHECKING

from vl_core.head_stats.row_blocks import RowBlock, columns
from vl_core.head_stats.statistic import BlockStatistic

if TYPE_CHECKING:
    import torch


def share_in_box(block: RowBlock) -> "torch.Tensor":
    """Summed share of the words' image attention inside their boxes, and how many words."""
    inside, looks, _ = _boxed_words(block)
    return columns(inside.sum(dim=-1), looks.sum(dim=-1))


def lift_in_box(block: RowBlock) -> "torch.Tensor":
    """The same summed share, and what it would be if the words looked uniformly at the image."""
    inside, looks, uniform = _boxed_words(block)
    return columns(inside.sum(dim=-1), looks @ uniform)


def _boxed_words(block: RowBlock) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
    """Of each word that names a box: share inside, whether it looks at the image, uniform share.

    The first two are head x word, the last is the same for all heads. A word whose box covers none
    of the patches it may look at takes no part: no head could ground it.
    """
    words, fractions = block.rows.boxed_words
    uniform, image = block.rows.uniform_in_box, block.mass("placed")[:, words]
    inside = (block.weights[:, words] * fractions).sum(dim=-1)
    looks = (image > 0) * (uniform > 0)
    return inside / image.masked_fill(image == 0, 1), looks.to(image.dtype), uniform


GROUNDING = BlockStatistic(
    key="grounding",
    name="Grounding",
    unit="share of image attention",
    definition=(
        "Of the attention that a text query gives to image keys, the share inside the box that its "
        "word names (a patch cut by the box counts by area), averaged over the words with a box."
    ),
    partial=share_in_box,
)
GROUNDING_LIFT = BlockStatistic(
    key="grounding_lift",
    name="Grounding lift",
    unit="times uniform",
    range=(0.0, None),
    definition=(
        "The grounding divided by what it would be if the same words looked at all allowed patches "
        "alike, which is the part of the picture that the boxes take up."
    ),
    partial=lift_in_box,
)

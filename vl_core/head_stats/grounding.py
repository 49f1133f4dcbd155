"""Whether words look at the place that they name, and the class token at what is asked about.

Three measures of how attention over patches agrees with boxes: the share inside (energy), whether
the strongest patch is a hit (pointing), and whether hits get more than the other patches (AUC). A
hit is what `boxes.hits` says. Patches that may not be looked at are neither hits nor misses. A
query that looks at no patch, or whose boxes reach none that it may look at, takes no part: no head
could ground it.
"""

from functools import partial
from typing import TYPE_CHECKING

from vl_core.head_stats.boxed import BoxedBlock
from vl_core.head_stats.row_blocks import RowBlock, columns
from vl_core.head_stats.statistic import BlockStatistic, ratio

if TYPE_CHECKING:
    import torch


def of_words(block: RowBlock) -> "torch.Tensor":
    """What `_totals` says of the words that have boxes."""
    return _totals(block, block.boxed_words)


def of_class_token(block: RowBlock) -> "torch.Tensor":
    """What `_totals` says of the class token, if it has boxes."""
    return _totals(block, block.boxed_class)


def _totals(block: RowBlock, boxed: BoxedBlock | None) -> "torch.Tensor":
    """Totals of queries that have boxes, three measures and the number of queries after each.

    The share of image attention inside the boxes, and what it would be if the queries looked
    uniformly at the image; the share of the strongest patches that are hits; the probability that
    a hit gets more than a miss.
    """
    if boxed is None:  # as in most blocks
        return block.looks.new_zeros(len(block.looks), 7)
    rows, looks = boxed.rows, boxed.looks
    can_differ = (rows.n_pairs > 0).to(looks.dtype)
    return columns(
        boxed.shares_inside.sum(dim=-1),
        looks @ rows.reaches,
        looks @ rows.uniform,
        (boxed.shares_of_the_strongest * looks) @ rows.can_hit,
        looks @ rows.can_hit,
        (boxed.auc * looks) @ can_differ,
        looks @ can_differ,
    )


ENERGY_LIFT = partial(ratio, under=(2,))
POINTS = partial(ratio, over=(3,), under=(4,))
AREA = partial(ratio, over=(5,), under=(6,))

HIT = "one that the boxes cover by at least a quarter or that holds the center of one"
ZHANG = "the pointing game of Zhang et al. 2018"

GROUNDING = BlockStatistic(
    key="grounding",
    name="Grounding",
    unit="share of image attention",
    definition=(
        "Of the attention that a text query gives to image keys, the share inside the box that its "
        "word names (a patch cut by the box counts by area), averaged over the words with a box."
    ),
    partial=of_words,
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
    partial=of_words,
    finish=ENERGY_LIFT,
)
POINTING = BlockStatistic(
    key="pointing",
    name="Pointing",
    unit="share of words",
    definition=(
        "The share of the words with a box whose strongest patch is a hit, which is "
        f"{HIT}; patches that are strongest together share the point."
    ),
    source=ZHANG,
    partial=of_words,
    finish=POINTS,
)
BOX_AUC = BlockStatistic(
    key="box_auc",
    name="Box AUC",
    unit="probability",
    definition=(
        "The probability that a patch that is a hit gets more of a word's attention than one that "
        "is not (equal ones count half, so that 0.5 is chance), averaged over the words with a "
        f"box; a hit is {HIT}."
    ),
    partial=of_words,
    finish=AREA,
)
CLASS_GROUNDING = BlockStatistic(
    key="class_grounding",
    name="Class grounding",
    unit="share of image attention",
    definition=(
        "Of the attention that the class token gives to image keys, the share inside the boxes of "
        "all objects that are asked about (a patch cut by a box counts by area)."
    ),
    partial=of_class_token,
)
CLASS_POINTING = BlockStatistic(
    key="class_pointing",
    name="Class pointing",
    unit="1 for a hit, 0 for none",
    definition=(
        "Whether the class token's strongest patch is a hit on the objects that are asked about, "
        f"which is {HIT}; patches that are strongest together share the point."
    ),
    source=ZHANG,
    partial=of_class_token,
    finish=POINTS,
)
CLASS_AUC = BlockStatistic(
    key="class_auc",
    name="Class AUC",
    unit="probability",
    definition=(
        "The probability that a patch that is a hit on the objects asked about gets more of the "
        "class token's attention than one that is not (equal ones count half, so that 0.5 is "
        f"chance); a hit is {HIT}."
    ),
    partial=of_class_token,
    finish=AREA,
)

OF_WORDS = (GROUNDING, GROUNDING_LIFT, POINTING, BOX_AUC)
OF_CLASS_TOKEN = (CLASS_GROUNDING, CLASS_POINTING, CLASS_AUC)

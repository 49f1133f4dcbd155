"""Whether words look at the place that they name, and the class token at what is asked about.

Three measures of how attention over patches agrees with boxes: the share inside (energy), whether
the strongest patch is a hit (pointing), and whether hits get more than the other patches (AUC). A
hit is what `boxes.hits` says. Patches that may not be looked at are neither hits nor misses. A
query that looks at no patch, or whose boxes reach none that it may look at, takes no part: no head
could ground it.
"""

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from vl_core.head_stats.row_blocks import BoxedBlock, RowBlock, columns
from vl_core.head_stats.statistic import BlockStatistic

if TYPE_CHECKING:
    import torch

Asking = Callable[[RowBlock], BoxedBlock]

WORDS: Asking = attrgetter("boxed_words")
CLASS_TOKEN: Asking = attrgetter("boxed_class")


def energy(block: RowBlock, asking: Asking) -> "torch.Tensor":
    """Summed share of the queries' image attention inside their boxes, and how many queries."""
    boxed = asking(block)
    looks = boxed.looks * boxed.rows.reaches
    return columns(_shares(boxed).sum(dim=-1), looks.sum(dim=-1))


def energy_lift(block: RowBlock, asking: Asking) -> "torch.Tensor":
    """The same summed share, and what it would be if the queries looked uniformly at the image."""
    boxed = asking(block)
    return columns(_shares(boxed).sum(dim=-1), boxed.looks @ boxed.rows.uniform)


def _shares(boxed: BoxedBlock) -> "torch.Tensor":
    """Head x query: the share of image attention inside; 0 where a query looks at no patch."""
    inside = (boxed.weights * boxed.rows.inside).sum(dim=-1)
    return inside / boxed.image.masked_fill(boxed.image == 0, 1)


def pointing(block: RowBlock, asking: Asking) -> "torch.Tensor":
    """For how many queries the strongest patch is a hit, and how many queries there are.

    Patches that are strongest together share the point.
    """
    boxed = asking(block)
    weights = boxed.weights.masked_fill(boxed.rows.is_elsewhere, -1)
    is_strongest = (weights == weights.amax(dim=-1, keepdim=True)).to(weights.dtype)
    shares = (is_strongest * boxed.rows.hits).sum(dim=-1) / is_strongest.sum(dim=-1)
    looks = boxed.looks * boxed.rows.can_hit
    return columns((shares * looks).sum(dim=-1), looks.sum(dim=-1))


def auc(block: RowBlock, asking: Asking) -> "torch.Tensor":
    """Summed probability that a hit gets more than a miss, and how many queries have both."""
    boxed = asking(block)
    areas = (_misses_below(boxed) * boxed.rows.hits).sum(dim=-1) / boxed.rows.n_pairs.clamp(min=1)
    looks = boxed.looks * (boxed.rows.n_pairs > 0)
    return columns((areas * looks).sum(dim=-1), looks.sum(dim=-1))


def _misses_below(boxed: BoxedBlock) -> "torch.Tensor":
    """Head x query x key: how many misses weigh less than this key; one as heavy counts half."""
    import torch  # noqa: PLC0415 the registry of statistics is imported before the first paint

    # What is no miss sorts behind all weights, where nothing is counted.
    ranked = boxed.weights.masked_fill(boxed.rows.misses == 0, torch.inf).sort(dim=-1).values
    lighter, not_heavier = (
        torch.searchsorted(ranked, boxed.weights, side=side) for side in ("left", "right")
    )
    return (lighter + not_heavier).to(boxed.weights.dtype) / 2


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
    partial=partial(energy, asking=WORDS),
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
    partial=partial(energy_lift, asking=WORDS),
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
    partial=partial(pointing, asking=WORDS),
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
    partial=partial(auc, asking=WORDS),
)
CLASS_GROUNDING = BlockStatistic(
    key="class_grounding",
    name="Class grounding",
    unit="share of image attention",
    definition=(
        "Of the attention that the class token gives to image keys, the share inside the boxes of "
        "all objects that are asked about (a patch cut by a box counts by area)."
    ),
    partial=partial(energy, asking=CLASS_TOKEN),
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
    partial=partial(pointing, asking=CLASS_TOKEN),
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
    partial=partial(auc, asking=CLASS_TOKEN),
)

OF_WORDS = (GROUNDING, GROUNDING_LIFT, POINTING, BOX_AUC)
OF_CLASS_TOKEN = (CLASS_GROUNDING, CLASS_POINTING, CLASS_AUC)

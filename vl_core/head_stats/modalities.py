"""How much text and image look at each other and at themselves: mass, mean weight and lift.

Text is every word, those of an answer that the model generated among them.
"""

from functools import partial
from typing import TYPE_CHECKING

from vl_core.head_stats.row_blocks import RowBlock, columns
from vl_core.head_stats.statistic import BlockStatistic, Finish, ratio
from vl_core.head_stats.tables import KINDS

if TYPE_CHECKING:
    import torch

SHARE = "share of attention"
VL_INTERPRET = "after VL-InterpreT (Aflalo et al. 2022)"
DIRECTIONS = (("text", "image"), ("image", "text"), ("text", "text"), ("image", "image"))
_A = {"text": "a text", "image": "an image"}


# What `by_kinds` totals, each for every kind of key and every kind of query.
MASS, QUERIES, PAIRS, UNIFORM = range(4)


def by_kinds(block: RowBlock) -> "torch.Tensor":
    """Totals of the queries of each kind that look, for keys of each kind.

    Their mass on these keys; how many queries there are, if the stack has such keys; how many
    allowed pairs; the mass if each query looked at all its allowed keys alike.
    """
    return block.totals_by_kinds.flatten(1)


def _share(under: int, *directions: tuple[str, str]) -> Finish:
    """The mass in these directions, from a kind of query to one of key, over another total."""
    places = [(KINDS.index(keys), KINDS.index(queries)) for queries, keys in directions]
    over, under_ = (
        tuple((total * len(KINDS) + key) * len(KINDS) + query for key, query in places)
        for total in (MASS, under)
    )
    return partial(ratio, over=over, under=under_)


def without_self(block: RowBlock) -> "torch.Tensor":
    """Totals of patches once each has stopped looking at itself.

    Their mass on other patches; how many of them look anywhere; how many allowed pairs of
    different patches there are.
    """
    image, left = block.weight_elsewhere("image"), block.weight_elsewhere("any")
    shares = image / left.masked_fill(left == 0, 1)
    looks = (left > 0).to(left.dtype)
    chosen, pairs = block.rows.other_patches
    return columns(shares @ chosen, looks @ chosen, looks @ pairs)


def _mass_of(queries: str, keys: str) -> BlockStatistic:
    return BlockStatistic(
        key=f"{queries}_to_{keys}_mass",
        name=f"{queries.capitalize()}-to-{keys} mass",
        unit=SHARE,
        definition=(
            f"The share of {_A[queries]} query's attention that falls on all {keys} keys together, "
            f"averaged over the {queries} queries."
        ),
        partial=by_kinds,
        finish=_share(QUERIES, (queries, keys)),
        flow_name=f"{keys}-to-{queries}",
    )


def _mean_weight_of(queries: str, keys: str) -> BlockStatistic:
    return BlockStatistic(
        key=f"{queries}_to_{keys}_mean_weight",
        name=f"{queries.capitalize()}-to-{keys} mean weight",
        unit=f"{SHARE} per key",
        definition=(
            f"The attention weight from {_A[queries]} query to an allowed {keys} key, averaged "
            "over all such pairs; unlike the mass it shrinks as the keys become more."
        ),
        source=VL_INTERPRET,
        partial=by_kinds,
        finish=_share(PAIRS, (queries, keys)),
        flow_name=f"{keys}-to-{queries}",
    )


def _lift_of(queries: str, keys: str) -> BlockStatistic:
    return BlockStatistic(
        key=f"{queries}_to_{keys}_lift",
        name=f"{queries.capitalize()}-to-{keys} lift",
        unit="times uniform",
        range=(0.0, None),
        definition=(
            f"The {queries}-to-{keys} mass divided by the mass that the same queries would give if "
            "each looked at all its allowed keys alike; 1 is no preference."
        ),
        partial=by_kinds,
        finish=_share(UNIFORM, (queries, keys)),
        flow_name=f"{keys}-to-{queries}",
    )


MASSES = tuple(_mass_of(*direction) for direction in DIRECTIONS)
MEAN_WEIGHTS = tuple(_mean_weight_of(*direction) for direction in DIRECTIONS)
LIFTS = tuple(_lift_of(*direction) for direction in DIRECTIONS)

TEXT_TO_IMAGE_MASS, IMAGE_TO_TEXT_MASS, TEXT_TO_TEXT_MASS, IMAGE_TO_IMAGE_MASS = MASSES
(
    TEXT_TO_IMAGE_MEAN_WEIGHT,
    IMAGE_TO_TEXT_MEAN_WEIGHT,
    TEXT_TO_TEXT_MEAN_WEIGHT,
    IMAGE_TO_IMAGE_MEAN_WEIGHT,
) = MEAN_WEIGHTS
TEXT_TO_IMAGE_LIFT, IMAGE_TO_TEXT_LIFT, TEXT_TO_TEXT_LIFT, IMAGE_TO_IMAGE_LIFT = LIFTS

CROSS_MODAL_MASS = BlockStatistic(
    key="cross_modal_mass",
    name="Cross-modal mass",
    unit=SHARE,
    definition=(
        "The share of a query's attention on the keys of the other modality (image keys for a text "
        "query, text keys for an image query), averaged over all text and image queries."
    ),
    source=VL_INTERPRET,
    partial=by_kinds,
    finish=_share(QUERIES, ("text", "image"), ("image", "text")),
)
INTRA_MODAL_MASS = BlockStatistic(
    key="intra_modal_mass",
    name="Intra-modal mass",
    unit=SHARE,
    definition=(
        "The share of a query's attention on the keys of its own modality (text keys for a text "
        "query, image keys for an image query), averaged over all text and image queries."
    ),
    source=VL_INTERPRET,
    partial=by_kinds,
    finish=_share(QUERIES, ("text", "text"), ("image", "image")),
)
WITHOUT_SELF_MASS = BlockStatistic(
    key="image_to_image_without_self_mass",
    name="Image-to-image mass without self",
    unit=SHARE,
    definition=(
        "Of the attention that an image query does not give to itself, the share on all other "
        "image keys together, averaged over the image queries."
    ),
    source=VL_INTERPRET,
    partial=without_self,
)
WITHOUT_SELF_MEAN_WEIGHT = BlockStatistic(
    key="image_to_image_without_self_mean_weight",
    name="Image-to-image mean weight without self",
    unit=f"{SHARE} per key",
    definition=(
        "The weight from an image query to an allowed other image key, as a share of what the "
        "query does not give to itself, averaged over all such pairs."
    ),
    source=VL_INTERPRET,
    partial=without_self,
    finish=partial(ratio, under=(2,)),
)
SPECIAL_SHARE = BlockStatistic(
    key="special_share",
    name="Share of special tokens",
    unit=SHARE,
    definition=(
        "The share of a query's attention that falls on all special keys together (class, "
        "separator and the like), averaged over all text and image queries."
    ),
    source="Clark et al. 2019",
    partial=by_kinds,
    finish=_share(QUERIES, ("text", "special"), ("image", "special")),
)

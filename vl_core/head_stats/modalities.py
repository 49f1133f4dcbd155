"""How much text and image look at each other and at themselves: mass, mean weight and lift."""

from functools import partial
from typing import TYPE_CHECKING

from vl_core.head_stats.row_blocks import RowBlock, columns
from vl_core.head_stats.statistic import BlockStatistic

if TYPE_CHECKING:
    import torch

SHARE = "share of attention"
VL_INTERPRET = "after VL-InterpreT (Aflalo et al. 2022)"
DIRECTIONS = (("text", "image"), ("image", "text"), ("text", "text"), ("image", "image"))


def mass(block: RowBlock, queries: str, keys: str) -> "torch.Tensor":
    """Summed mass of the queries on the keys, and how many queries there are."""
    totals = block.sum_and_count(block.mass(keys), block.rows.chosen(queries))
    return totals * block.rows.has_keys(keys)


def mean_weight(block: RowBlock, queries: str, keys: str) -> "torch.Tensor":
    """Summed mass of the queries on the keys, and how many allowed pairs there are."""
    chosen = block.rows.chosen(queries)
    pairs = block.looks @ (chosen * block.rows.n_allowed(keys))
    return columns(block.mass(keys) @ chosen, pairs)


def lift(block: RowBlock, queries: str, keys: str) -> "torch.Tensor":
    """Summed mass of the queries on the keys, and what it would be if they looked uniformly."""
    chosen = block.rows.chosen(queries)
    uniform = block.looks @ (chosen * block.rows.uniform(keys))
    return columns(block.mass(keys) @ chosen, uniform)


def cross_modal_mass(block: RowBlock) -> "torch.Tensor":
    """Mass of words on the image and of patches on the text, over both together."""
    return mass(block, "text", "image") + mass(block, "image", "text")


def intra_modal_mass(block: RowBlock) -> "torch.Tensor":
    """Mass of words on the text and of patches on the image, over both together."""
    return mass(block, "text", "text") + mass(block, "image", "image")


def special_share(block: RowBlock) -> "torch.Tensor":
    """Mass of words and patches on special tokens."""
    return mass(block, "text", "special") + mass(block, "image", "special")


def without_self_mass(block: RowBlock) -> "torch.Tensor":
    """Summed mass of patches on other patches once each has stopped looking at itself."""
    shares, looks, chosen = _without_self(block)
    return columns(shares @ chosen, looks @ chosen) * block.rows.has_keys("image", at_least=2)


def without_self_mean_weight(block: RowBlock) -> "torch.Tensor":
    """The same mass, and how many allowed pairs of different patches there are."""
    shares, looks, chosen = _without_self(block)
    rows, _ = block.rows.same
    others = block.rows.n_allowed("image").clone()
    others[rows] -= chosen[rows]
    return columns(shares @ chosen, looks @ (chosen * others))


def _without_self(block: RowBlock) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
    """Head x row image mass without the query itself; 1 where anything is left; image queries."""
    image, left = block.mass_elsewhere("image"), block.mass_elsewhere("any")
    looks = (left > 0).to(left.dtype)
    chosen = block.rows.chosen("image") * block.rows.tables.is_self_attention
    return image / left.masked_fill(left == 0, 1), looks, chosen


def _mass_of(queries: str, keys: str) -> BlockStatistic:
    return BlockStatistic(
        key=f"{queries}_to_{keys}_mass",
        name=f"{queries.capitalize()}-to-{keys} mass",
        unit=SHARE,
        definition=(
            f"The share of a {queries} query's attention that falls on all {keys} keys together, "
            f"averaged over the {queries} queries."
        ),
        partial=partial(mass, queries=queries, keys=keys),
        flow_name=f"{keys}-to-{queries}",
    )


def _mean_weight_of(queries: str, keys: str) -> BlockStatistic:
    return BlockStatistic(
        key=f"{queries}_to_{keys}_mean_weight",
        name=f"{queries.capitalize()}-to-{keys} mean weight",
        unit=f"{SHARE} per key",
        definition=(
            f"The attention weight from a {queries} query to an allowed {keys} key, averaged over "
            "all such pairs; unlike the mass it shrinks as the keys become more."
        ),
        source=VL_INTERPRET,
        partial=partial(mean_weight, queries=queries, keys=keys),
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
        partial=partial(lift, queries=queries, keys=keys),
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
    partial=cross_modal_mass,
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
    partial=intra_modal_mass,
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
    partial=without_self_mass,
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
    partial=without_self_mean_weight,
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
    partial=special_share,
)

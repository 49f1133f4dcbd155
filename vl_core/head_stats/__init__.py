"""Head statistics: one number for each attention head, with its unit and definition.

Attention goes from query to key: "text to image" means text queries on image keys. VL-InterpreT's
menu named the flow of information and called the same thing "image-to-text".
"""

from vl_core.head_stats.builtin import STATISTICS, Measuring, measure
from vl_core.head_stats.grounding import (
    BOX_AUC,
    CLASS_AUC,
    CLASS_GROUNDING,
    CLASS_POINTING,
    GROUNDING,
    GROUNDING_LIFT,
    POINTING,
)
from vl_core.head_stats.modalities import (
    CROSS_MODAL_MASS,
    IMAGE_TO_IMAGE_LIFT,
    IMAGE_TO_IMAGE_MASS,
    IMAGE_TO_IMAGE_MEAN_WEIGHT,
    IMAGE_TO_TEXT_LIFT,
    IMAGE_TO_TEXT_MASS,
    IMAGE_TO_TEXT_MEAN_WEIGHT,
    INTRA_MODAL_MASS,
    SPECIAL_SHARE,
    TEXT_TO_IMAGE_LIFT,
    TEXT_TO_IMAGE_MASS,
    TEXT_TO_IMAGE_MEAN_WEIGHT,
    TEXT_TO_TEXT_LIFT,
    TEXT_TO_TEXT_MASS,
    TEXT_TO_TEXT_MEAN_WEIGHT,
    WITHOUT_SELF_MASS,
    WITHOUT_SELF_MEAN_WEIGHT,
)
from vl_core.head_stats.own import all_statistics, by_key, register, unregister
from vl_core.head_stats.places import DIAGONAL, PREVIOUS_TOKEN, REACH
from vl_core.head_stats.row_blocks import RowBlock
from vl_core.head_stats.rows import RowSource
from vl_core.head_stats.spread import CONCENTRATION, ENTROPY, ENTROPY_IN_NATS
from vl_core.head_stats.statistic import BlockStatistic, HeadStatistic

__all__ = [
    "BOX_AUC",
    "CLASS_AUC",
    "CLASS_GROUNDING",
    "CLASS_POINTING",
    "CONCENTRATION",
    "CROSS_MODAL_MASS",
    "DIAGONAL",
    "ENTROPY",
    "ENTROPY_IN_NATS",
    "GROUNDING",
    "GROUNDING_LIFT",
    "IMAGE_TO_IMAGE_LIFT",
    "IMAGE_TO_IMAGE_MASS",
    "IMAGE_TO_IMAGE_MEAN_WEIGHT",
    "IMAGE_TO_TEXT_LIFT",
    "IMAGE_TO_TEXT_MASS",
    "IMAGE_TO_TEXT_MEAN_WEIGHT",
    "INTRA_MODAL_MASS",
    "POINTING",
    "PREVIOUS_TOKEN",
    "REACH",
    "SPECIAL_SHARE",
    "STATISTICS",
    "TEXT_TO_IMAGE_LIFT",
    "TEXT_TO_IMAGE_MASS",
    "TEXT_TO_IMAGE_MEAN_WEIGHT",
    "TEXT_TO_TEXT_LIFT",
    "TEXT_TO_TEXT_MASS",
    "TEXT_TO_TEXT_MEAN_WEIGHT",
    "WITHOUT_SELF_MASS",
    "WITHOUT_SELF_MEAN_WEIGHT",
    "BlockStatistic",
    "HeadStatistic",
    "Measuring",
    "RowBlock",
    "RowSource",
    "all_statistics",
    "by_key",
    "measure",
    "register",
    "unregister",
]

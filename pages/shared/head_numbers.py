"""Which numbers the head map shows: a statistic in one of three views."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pages.shared import session
from pages.shared.selection import Selection
from vl_core import head_stats
from vl_core.arrays import HeadMap, LayerCurve
from vl_core.figures.color_scale import ColorScale, sequential, symmetric
from vl_core.head_stats import HeadStatistic, views, vlinterpret
from vl_core.head_stats.passes import stored_key
from vl_core.head_stats.pattern import Pattern, patterns
from vl_core.head_stats.summary import Ranks, ranks
from vl_core.trace import Stack

Z_UNIT = "standard deviations"
# The correct statistic behind each entry of VL-InterpreT's menu, so that switching the view
# compares the two; its menu names the flow of information, from the key to the query.
COUNTERPARTS = {
    vlinterpret.IMAGE_TO_TEXT: head_stats.TEXT_TO_IMAGE_MEAN_WEIGHT,
    vlinterpret.TEXT_TO_IMAGE: head_stats.IMAGE_TO_TEXT_MEAN_WEIGHT,
    vlinterpret.IMAGE_TO_IMAGE: head_stats.IMAGE_TO_IMAGE_MEAN_WEIGHT,
    vlinterpret.WITHOUT_SELF: head_stats.WITHOUT_SELF_MEAN_WEIGHT,
    vlinterpret.TEXT_TO_TEXT: head_stats.TEXT_TO_TEXT_MEAN_WEIGHT,
    vlinterpret.CROSS_MODAL: head_stats.CROSS_MODAL_MASS,
    vlinterpret.INTRA_MODAL: head_stats.INTRA_MODAL_MASS,
}
SAME_DIRECTION = {
    head_stats.TEXT_TO_IMAGE_MASS.key: vlinterpret.IMAGE_TO_TEXT,
    head_stats.IMAGE_TO_TEXT_MASS.key: vlinterpret.TEXT_TO_IMAGE,
    head_stats.IMAGE_TO_IMAGE_MASS.key: vlinterpret.IMAGE_TO_IMAGE,
    head_stats.WITHOUT_SELF_MASS.key: vlinterpret.WITHOUT_SELF,
    head_stats.TEXT_TO_TEXT_MASS.key: vlinterpret.TEXT_TO_TEXT,
} | {statistic.key: label for label, statistic in COUNTERPARTS.items()}
SPECIALS_LEFT_OUT = "without special tokens"
FULL_COLOR = 3.0  # VL-InterpreT's colors ended at three standard deviations


@dataclass(frozen=True)
class Numbers:
    """What the map shows, layer x head, with its unit and colors.

    in_own_unit: the statistic before any z-score, with own_unit. z_scores: it over all heads; None
    for what is a z-score of another kind.
    """

    name: str
    unit: str
    cells: HeadMap
    means: LayerCurve
    scale: ColorScale
    in_own_unit: HeadMap
    own_unit: str
    z_scores: HeadMap | None

    @property
    def ranks(self) -> Ranks:
        """1 for the highest of all heads, 0 for a missing one."""
        return ranks(self.cells)

    @property
    def n_ranked(self) -> int:
        """How many heads have a value."""
        return int(np.isfinite(self.cells).sum())

    @property
    def is_missing(self) -> bool:
        """Whether no head has a value."""
        return self.n_ranked == 0


def statistic(chosen: Selection) -> HeadStatistic:
    """The chosen statistic; the first one if a link names one that does not exist."""
    known = {one.key: one for one in head_stats.all_statistics()}
    return known.get(chosen.statistic, head_stats.TEXT_TO_IMAGE_MASS)


def menu_label(chosen: Selection) -> str:
    """The entry of VL-InterpreT's menu that comes closest to the chosen statistic."""
    return SAME_DIRECTION.get(chosen.statistic, vlinterpret.IMAGE_TO_TEXT)


def numbers(stack: Stack, chosen: Selection) -> Numbers:
    """The numbers of the chosen statistic in the chosen view."""
    if chosen.view == "vlinterpret":
        return _as_vlinterpret(stack, menu_label(chosen))
    one = statistic(chosen)
    values = values_of(one, stack, with_specials=chosen.specials)
    scores = views.z_scores(values)
    if chosen.view == "z":
        name, unit, cells, scale = (
            f"{one.name}, z-score",
            Z_UNIT,
            scores,
            symmetric(scores),
        )
    else:
        name, unit, cells, scale = one.name, one.unit, values, sequential(values)
    return Numbers(
        name, unit, cells, views.layer_means(cells), scale, values, one.unit, z_scores=scores
    )


def _as_vlinterpret(stack: Stack, label: str) -> Numbers:
    scored = session.remembered(("vlinterpret", stack.name), lambda: vlinterpret.statistics(stack))[
        label
    ]
    means = vlinterpret.layer_means(scored)
    scale = symmetric(scored, FULL_COLOR)
    return Numbers(label, Z_UNIT, scored, means, scale, scored, Z_UNIT, z_scores=None)


def file_name(chosen: Selection, shown: Numbers) -> str:
    """What a saved map is called: after the numbers that it shows."""
    if chosen.view == "vlinterpret":
        return "heads-vlinterpret-" + re.sub(r"[^a-z]+", "-", shown.name.lower()).strip("-")
    specials = "" if chosen.specials else "-without-specials"
    return f"heads-{statistic(chosen).key}-{chosen.view}{specials}"


def counted(chosen: Selection) -> str:
    """Which tokens took part, for a figure that stands by itself."""
    is_without = not chosen.specials and chosen.view != "vlinterpret"
    return SPECIALS_LEFT_OUT if is_without else ""


def values_of(one: HeadStatistic, stack: Stack, *, with_specials: bool) -> HeadMap:
    """A statistic of the stack on show; what the trace does not carry is computed once."""
    if stored_key(one.key, with_specials=with_specials) in stack.head_stats:
        return one.of(stack, with_specials)
    return session.remembered(
        ("statistic", stack.name, one.key, with_specials), lambda: one.of(stack, with_specials)
    )


def patterns_of(stack: Stack) -> Sequence[Sequence[Pattern]]:
    """The pattern of each layer's heads, found once."""
    return session.remembered(("patterns", stack.name), lambda: patterns(stack))

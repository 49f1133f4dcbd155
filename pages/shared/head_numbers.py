"""Which numbers the head map shows: a statistic or an effect, in one of four views."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import floor, log10

import numpy as np
from jaxtyping import Int

from pages.shared import head_effects, head_values, session
from pages.shared.measured import Measured
from pages.shared.selection import Selection
from vl_core import head_stats
from vl_core.arrays import HeadMap, LayerCurve
from vl_core.figures.color_scale import ColorScale, sequential, symmetric
from vl_core.head_stats import views, vlinterpret
from vl_core.head_stats.pattern import MIXED, PATTERNS, Pattern, patterns
from vl_core.head_stats.summary import Ranks, ranks
from vl_core.trace import Stack

Z_UNIT = "standard deviations"
ALL_PATTERNS = (*PATTERNS, MIXED)
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
VLINTERPRET_DIFFERS = (
    "z-scores over the layers, for each head number by itself, so that heads of one layer cannot "
    "be compared. Some patches count as text, because the text's length is taken before [CLS] and "
    "[SEP] are dropped; intra-modal leaves out text. Its menu names the flow of information: "
    "words that look at the image are called “image-to-text” there."
)
FULL_COLOR = 3.0  # VL-InterpreT's colors ended at three standard deviations


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the map shows, layer x head, with its unit and colors.

    measured: what is behind it, before any z-score. z_scores: it over all heads; None for what is
    a z-score of another kind.
    """

    name: str
    unit: str
    cells: HeadMap
    means: LayerCurve
    scale: ColorScale
    measured: Measured
    z_scores: HeadMap | None

    @property
    def in_own_unit(self) -> HeadMap:
        """What was measured of each head."""
        return self.measured.values

    @property
    def own_unit(self) -> str:
        """The unit of what was measured."""
        return self.measured.unit

    @property
    def precedence(self) -> HeadMap:
        """The greater, the earlier a head is listed: the lowest come first where they tell most."""
        return -self.cells if self.measured.is_lowest_first else self.cells

    @cached_property
    def ranks(self) -> Ranks:
        """1 for the first of all heads, 0 for a missing one.

        Heads are equal that single precision does not tell apart, as in the browser.
        """
        return ranks(self.precedence.astype(np.float32))

    @cached_property
    def n_ranked(self) -> int:
        """How many heads have a value."""
        return int(np.isfinite(self.cells).sum())

    @property
    def decimals(self) -> int:
        """Of a value for reading, so that it says what the map says of it."""
        return decimals(self.scale)

    @property
    def is_missing(self) -> bool:
        """Whether no head has a value."""
        return self.n_ranked == 0


def decimals(scale: ColorScale) -> int:
    """As many as tell a thousandth of the scale apart, as the map has under the pointer.

    The browser's half is `decimalsOf` in scale.js: cells have one less.
    """
    span = scale.high - scale.low
    # A half is rounded up, as browsers do.
    in_cells = floor(0.5 - log10(span / 100)) if span > 0 else 2
    return min(6, max(0, in_cells)) + 1


def menu() -> dict[str, str]:
    """All that can be shown, by key, with its name; what takes an intervention comes last."""
    known = {one.key: one.name for one in head_stats.all_statistics()}
    return known | head_effects.names(session.trace())


def has_specials_choice(chosen: Selection) -> bool:
    """Whether it makes a difference that special tokens take part."""
    return chosen.view != "vlinterpret" and chosen.statistic not in head_effects.NAMES


def has_change(chosen: Selection) -> bool:
    """Whether what is chosen can be compared between two pictures."""
    return chosen.statistic not in head_effects.NAMES


def menu_label(chosen: Selection) -> str:
    """The entry of VL-InterpreT's menu that comes closest to the chosen statistic."""
    return SAME_DIRECTION.get(chosen.statistic, vlinterpret.IMAGE_TO_TEXT)


def numbers(stack: Stack, chosen: Selection) -> Numbers:
    """What was chosen, in the chosen view."""
    if chosen.view == "vlinterpret":
        return _as_vlinterpret(stack, menu_label(chosen))
    if chosen.statistic in head_effects.NAMES:
        found = head_effects.measured(chosen.statistic, stack)
    elif chosen.view == "change":
        found = head_values.change(stack, chosen)
    else:
        found = head_values.statistic(stack, chosen)
    scores = views.z_scores(found.values)
    if chosen.view == "z":
        name, unit, cells, scale = f"{found.name}, z-score", Z_UNIT, scores, symmetric(scores)
    else:
        name, unit, cells = found.name, found.unit, found.values
        scale = sequential(cells) if found.limit is None else _around_zero(cells, found.limit)
    return Numbers(name, unit, cells, views.layer_means(cells), scale, found, scores)


def _around_zero(values: HeadMap, least: float) -> ColorScale:
    scale = symmetric(values)
    return scale if scale.high >= least else symmetric(values, least)


def _as_vlinterpret(stack: Stack, label: str) -> Numbers:
    scored = session.remembered(("vlinterpret", stack.name), lambda: vlinterpret.statistics(stack))[
        label
    ]
    found = Measured(label, Z_UNIT, scored, VLINTERPRET_DIFFERS)
    means = vlinterpret.layer_means(scored)
    return Numbers(
        label, Z_UNIT, scored, means, symmetric(scored, FULL_COLOR), found, z_scores=None
    )


def file_name(chosen: Selection, shown: Numbers) -> str:
    """What a saved map is called: after the numbers that it shows."""
    if chosen.view == "vlinterpret":
        return "heads-vlinterpret-" + re.sub(r"[^a-z]+", "-", shown.name.lower()).strip("-")
    specials = "-without-specials" if has_specials_choice(chosen) and not chosen.specials else ""
    return f"heads-{chosen.statistic}-{chosen.view}{specials}"


def taking_part(chosen: Selection) -> str:
    """Which tokens took part, for a figure that stands by itself."""
    is_without = has_specials_choice(chosen) and not chosen.specials
    return SPECIALS_LEFT_OUT if is_without else ""


def patterns_called(stack: Stack) -> tuple[Pattern, ...]:
    """ALL_PATTERNS as they are called for this stack, by what its tokens of the image are."""
    return tuple(one.named(stack) for one in ALL_PATTERNS)


def pattern_numbers(stack: Stack) -> Int[np.ndarray, "layer head"]:
    """The pattern of each head by its number in ALL_PATTERNS, found once."""
    return session.remembered(("patterns", stack.name), lambda: _numbered(patterns(stack)))


def _numbered(found: Sequence[Sequence[Pattern]]) -> Int[np.ndarray, "layer head"]:
    numbers = {one.name: number for number, one in enumerate(ALL_PATTERNS)}
    return np.array([[numbers[one.name] for one in row] for row in found])

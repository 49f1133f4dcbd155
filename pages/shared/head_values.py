"""A head statistic of what is on show, and how it changes with the picture."""

import numpy as np

from pages.shared import requests, session
from pages.shared.attention_files import offers_position
from pages.shared.measured import Measured, Notes
from pages.shared.selection import Selection
from vl_core import head_stats
from vl_core.arrays import HeadMap
from vl_core.head_stats import HeadStatistic
from vl_core.head_stats.meaning import (
    answer_as_text,
    rows_of_answer,
    why_all,
    why_missing,
    why_zero,
)
from vl_core.head_stats.own import OwnStatistic
from vl_core.head_stats.passes import stored_key
from vl_core.trace import Stack
from vl_core.trace.nouns import image_noun


def statistic(stack: Stack, chosen: Selection) -> Measured:
    """The chosen statistic of the trace on show."""
    one = _chosen_statistic(chosen)
    values = values_of(one, stack, with_specials=chosen.specials)
    has_value = np.isfinite(values).any()
    return Measured(
        one.name,
        _told(one, one.unit, stack),
        values,
        _definition(one, stack),
        "" if has_value else why_missing(one, stack),
        caution=fixed(one, stack, with_specials=chosen.specials) if has_value else "",
    )


def fixed(one: HeadStatistic, stack: Stack, *, with_specials: bool) -> str:
    """Why the statistic is nothing, or of all attention, in every head by construction, if so."""
    return session.remembered(
        ("fixed", stack.name, one.key, with_specials),
        lambda: why_zero(one, stack) or why_all(one, stack, with_specials=with_specials),
    )


def change(stack: Stack, chosen: Selection) -> Measured:
    """The statistic on the picture itself minus it on what is shown in the picture's place."""
    one, shown = _chosen_statistic(chosen), session.request()
    own_stack = session.trace_with_own_picture().stacks[stack.name]
    own = session.remembered(
        ("with own picture", shown, stack.name, one.key, chosen.specials),
        lambda: one.of(own_stack, chosen.specials),
    )
    now = values_of(one, stack, with_specials=chosen.specials)
    what, unit = requests.in_its_place(shown), _told(one, one.unit, stack)
    return Measured(
        f"{one.name}, change",
        f"{unit}, own picture − {'blank' if shown.instead == requests.BLANK else 'other'}",
        own - now,
        f"{' '.join(_sentences(one, stack))} Shown is its value on the picture itself minus that "
        f"on {what}, with the same question. Heads near 0 did the same whatever was in the "
        f"picture. In {unit}.",
        f"It has no value on {what}, or none on the picture itself.",
        limit=0.0,
        notes=Notes(("{0} own, {1} in its place",), numbers=(own, now)),
        columns={f"{one.key}/own_picture": own, f"{one.key}/in_its_place": now},
    )


def values_of(one: HeadStatistic, stack: Stack, *, with_specials: bool) -> HeadMap:
    """A statistic of the stack on show; what the trace does not carry is computed once."""
    if stored_key(one.key, with_specials=with_specials) in stack.head_stats:
        return one.of(stack, with_specials)
    return session.remembered(
        ("statistic", stack.name, one.key, with_specials), lambda: one.of(stack, with_specials)
    )


def _chosen_statistic(chosen: Selection) -> HeadStatistic:
    """The chosen statistic; the first one if a link names one that does not exist."""
    known = {one.key: one for one in head_stats.all_statistics()}
    return known.get(chosen.statistic, head_stats.TEXT_TO_IMAGE_MASS)


def _definition(one: HeadStatistic, stack: Stack) -> str:
    """The exact definition, with unit, range and source."""
    parts = [*_sentences(one, stack), f"In {_told(one, one.unit, stack)}{_range(one)}."]
    if one.flow_name:
        parts.append(f"VL-InterpreT's menu called this direction “{one.flow_name}”.")
    if one.source:
        parts.append(f"Source: {one.source}.")
    return " ".join(parts)


def _sentences(one: HeadStatistic, stack: Stack) -> list[str]:
    """What is measured, and what of it is of the model's own answer."""
    rows = rows_of_answer(one, stack)
    both = "The attention page shows either row." if rows and _shows_either(stack) else ""
    parts = _told(one, one.definition, stack), answer_as_text(one, stack), rows, both
    return [part for part in parts if part]


def _told(one: HeadStatistic, text: str, stack: Stack) -> str:
    """A text of a statistic, with patches called what they are here; what others wrote stays."""
    if isinstance(one, OwnStatistic):
        return text
    return image_noun(stack.keys).named(text)


def _shows_either(stack: Stack) -> bool:
    return bool(stack.kept_layers) and offers_position(stack)


def _range(one: HeadStatistic) -> str:
    low, high = one.range
    if low is None and high is None:
        return ""
    if high is None:
        return f", from {low:g} up"
    return f", up to {high:g}" if low is None else f", {low:g} to {high:g}"

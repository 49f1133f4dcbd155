"""What models made of the candidates and sources of data sets, kept for all visitors.

Also what that amounts to, together with the answers to items that have no candidates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

import numpy as np
import streamlit as st
from jaxtyping import Float64

from pages.shared import models, session
from pages.shared.background import Job, Report
from pages.shared.data_sets import set_answers, sets
from pages.shared.data_sets.set_answers import Answered
from pages.shared.layout import escaped
from pages.shared.memo import Memo
from vl_core.checkpoints import EMBEDDED_NAME
from vl_core.counted import counted
from vl_core.datasets import reading
from vl_core.datasets.items import PLAIN
from vl_core.datasets.scored import Figure, Scored
from vl_core.datasets.scored import figures as task_figures
from vl_core.errors import DatasetError, ImageError, TextError

KEPT = 8  # pairs of a set and a model
AT_MOST = 10_000  # items that are scored in one go
ANSWERS = "answers"  # the figure of items without candidates
STOPPED = "Stopped. What was scored so far is kept."


@dataclass(frozen=True)
class Judged:
    """The scores of what is asked in one place; unread: why options have none, by their names."""

    scored: Scored
    unread: Mapping[str, str] = field(default_factory=dict)


_Known = dict[tuple[int, int], Judged]


def called(model: str) -> str:
    """A model at the beginning of a sentence, as Markdown."""
    return "The embedded model" if model == EMBEDDED_NAME else escaped(model)


def is_quick(model: str) -> bool:
    """Whether scoring an item takes next to no time, so that nobody has to ask for it."""
    return model == EMBEDDED_NAME


def judged(model: str, name: str, number: int, place: int) -> Judged | None:
    """What the model made of what is asked in this place about an item, if it did already."""
    return _known(model, name).get((number, place))


def score(model: str, name: str, number: int) -> dict[int, Judged]:
    """Let the model score all that is asked about an item and is not scored yet, by its place.

    Raises ModelError if it cannot or is not loaded, DatasetError if the item cannot be read.
    """
    item, loaded = sets.item(name, number), models.model(model)
    known = _known(model, name)
    found = {}
    for place, asked in enumerate(item.asked):
        if len(asked.options) > 1 and (number, place) not in known:
            skipped: list[reading.Skipped] = []
            with session.turn(model, lambda _: None), session.told_if_too_large(model):
                scores = reading.scores(asked, loaded.score, skipped)
            reasons = {one.name: one.reason for one in skipped}
            found[place] = Judged(Scored.of(number, item, place, scores), reasons)
    # All at once: who is right about a part is not right about the item yet. Of what could not be
    # read at all the files may be back the next time.
    known.update({(number, place): one for place, one in found.items() if one.scored.top})
    return found


def outcomes(model: str, name: str) -> dict[int, bool]:
    """Of each item that was judged and whose truth is told, whether the model was right in all.

    About sources it is right if it chooses the right ones and no other, at the `threshold`.
    """
    found: dict[int, list[bool | None]] = {}
    above = threshold(model, name)
    for one in all_scored(model, name):
        is_right = one.is_right if above is None else one.is_exact(above)
        found.setdefault(one.number, []).append(is_right)
    for number, answered in set_answers.all_answered(model, name).items():
        found.setdefault(number, []).append(answered.is_right)
    return {number: all(rights) for number, rights in sorted(found.items()) if None not in rights}


def threshold(model: str, name: str) -> float | None:
    """Above which a source is chosen now: the best on all that is scored; None without sources."""
    own = (value for title, value in figures(model, name) if title.startswith("threshold"))
    return next(own, None)


def all_scored(model: str, name: str) -> list[Scored]:
    """All that the model has scored of the set, in the set's order."""
    known = _known(model, name).copy()  # another visitor may be adding to it
    return [known[key].scored for key in sorted(known)]


def figures(model: str, name: str) -> list[Figure]:
    """The figures of the set's task over all that the model has scored of it and answered."""
    known, answered = all_scored(model, name), set_answers.all_answered(model, name)
    if not known and not answered:
        return []
    kind = sets.opened(name).kind
    key = (*set_answers.key(model, name), len(known), len(answered))
    return _figures().get(key, lambda: task_figures(kind, known) + _of_answers(answered))


def _of_answers(answered: Mapping[int, Answered]) -> list[Figure]:
    rights = [one.is_right for one in answered.values() if one.is_right is not None]
    return [(ANSWERS, float(np.mean(rights)))] if rights else []


def shares(scored: Scored) -> Float64[np.ndarray, "option"]:
    """The softmax over the scores of one question: they add up to 1; nan where there is none."""
    scores = np.array(scored.scores, float)
    if np.isnan(scores).all():
        return scores
    powers = np.exp(scores - np.nanmax(scores))
    return powers / np.nansum(powers)


def begin(model: str, name: str, count: int) -> None:
    """Score the first `count` items in the background, for all visitors, unless that is on."""
    with _guard():
        now = job(model, name)
        if now is None or now.is_done:
            _jobs()[model, name] = Job(partial(_score_all, model, name, count), _turn())


def job(model: str, name: str) -> Job[int] | None:
    """The last work of scoring the set; its result is of how many items nothing could be read."""
    return _jobs().get((model, name))


def stop(model: str, name: str) -> None:
    """End it after the item that it is at."""
    now = job(model, name)
    if now is not None:
        now.stop(STOPPED)


def _score_all(model: str, name: str, count: int, report: Report) -> int:
    n_unreadable = 0
    wanted = range(min(count, AT_MOST, len(sets.opened(name))))
    for number in wanted:
        report(number / len(wanted), f"Scored {number:,} of {counted(len(wanted), 'item')}")
        try:
            n_unreadable += not _judge(model, name, number)
        except (DatasetError, ImageError, TextError):
            n_unreadable += 1
    return n_unreadable


def _judge(model: str, name: str, number: int) -> bool:
    """Let the model score and answer all of an item; whether it could read any of what was new."""
    found = score(model, name, number)
    if PLAIN in sets.tasks_of(sets.item(name, number)):
        set_answers.answer(model, name, number)
    return not found or any(one.scored.top for one in found.values())


def _known(model: str, name: str) -> _Known:
    """What is known of a model with the weights that are loaded now."""
    if not models.is_loaded(model):
        return {}
    return _all_known().get(set_answers.key(model, name), dict)


@st.cache_resource(show_spinner=False)
def _all_known() -> Memo:
    return Memo(KEPT)


@st.cache_resource(show_spinner=False)
def _figures() -> Memo:
    return Memo(KEPT)


@st.cache_resource(show_spinner=False)
def _jobs() -> dict[tuple[str, str], Job[int]]:
    return {}


@st.cache_resource(show_spinner=False)
def _guard() -> Lock:
    return Lock()


@st.cache_resource(show_spinner=False)
def _turn() -> Lock:
    """One set is scored at a time; other computations in the background do not wait for it."""
    return Lock()

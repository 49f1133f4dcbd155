"""How well a model chooses over many items of a data set: scoring them, and the task's figures."""

import math
from collections.abc import Sequence

import streamlit as st

from pages.shared import foreign, model_picker, models
from pages.shared.data_sets import set_answers, set_scores, sets
from pages.shared.data_sets.browsing import Browsed
from pages.shared.data_sets.set_scores import ANSWERS
from pages.shared.layout import escaped, percent
from pages.shared.progress import progress
from pages.shared.said import score
from vl_core.counted import counted
from vl_core.datasets.scored import Figure, Scored, n_left_out

SUGGESTED = 100  # items
BEST_SOURCE = "best source is right"
NAMES = {
    "Q->A": "Q→A",
    "QA->R": "QA→R",
    "Q->AR": "Q→AR",
    "candidates": "Right",
    ANSWERS: "Answers equal to the set's",
    "retrieval F1": "Retrieval F1",
    "precision": "Precision",
    "recall": "Recall",
    BEST_SOURCE: "Highest is right",
    "threshold, the best on these questions": "Threshold",
}
DEFINITIONS = {
    "Q->A": "the share of items of which the model scores the right answer highest",
    "QA->R": "the same for the reason, given the right answer",
    "Q->AR": "both right for the same item",
    "candidates": "the share of items of which the right candidate has the highest score; of "
    "several with the very same highest score each counts in part",
    ANSWERS: "the share of items to which the model's answer has the words of the set's, compared "
    "word for word without upper case, punctuation and articles",
    "retrieval F1": "of precision and recall the harmonic mean, for each question over the sources "
    "whose score is above the threshold; then the mean over the questions",
    BEST_SOURCE: "the share of questions of which a right source has the highest score",
}


def draw(browsed: Browsed) -> None:
    """The figures so far, and the way to score more; nothing of a set with nothing to judge by."""
    if not sets.tasks(browsed.name):
        return
    model = model_picker.chosen()
    st.subheader("How often is the model right?", anchor=False)
    if foreign.is_judged(browsed.name):
        st.warning(foreign.OF_FIGURES, icon=":material/warning:")
    _figures(model, browsed.name)
    _scoring(model, browsed.name)


def _figures(model: str, name: str) -> None:
    known = set_scores.all_scored(model, name)
    answered = set_answers.all_answered(model, name)
    items = len({one.number for one in known} | answered.keys())
    if not items:
        st.caption(f"{set_scores.called(model)} has scored no item of this set yet.")
        return
    figures, left_out = set_scores.figures(model, name), n_left_out(known)
    if figures:
        with st.container(horizontal=True, key="set_figures"):
            for title, value in figures:
                st.metric(NAMES.get(title, title), _written(title, value), width="content")
        st.caption(escaped(_said(sets.opened(name).kind, items, known, figures)))
    elif not left_out:
        st.caption(f"{_are(items, 'item')} scored; the set does not tell what is right.")
    if left_out:
        st.caption(_why_left_out(sets.opened(name).kind, left_out))
    if stopped := sum(one.is_cut_off for one in answered.values()):
        st.caption(f"{counted(stopped, 'answer')} stopped before its end, and compared as it is.")


def _by_chance(one: Scored) -> float:
    """How often the question is answered rightly by a choice by lot among what has a score."""
    return len(one.right or ()) / sum(not math.isnan(score) for score in one.scores)


def _why_left_out(kind: str, count: int) -> str:
    if kind == "WebQA":
        return (
            f"{_are(count, 'question')} left out of “{NAMES[BEST_SOURCE]}”: a right source there "
            "has no score. In the other figures it counts as missed."
        )
    return f"{_are(count, 'question')} left out: a right one there has no score."


def _are(count: int, what: str) -> str:
    return f"1 {what} is" if count == 1 else f"{count:,} {what}s are"


def _written(name: str, value: float) -> str:
    return score(value) if name.startswith("threshold") else percent(value)


def _said(kind: str, items: int, known: Sequence[Scored], figures: Sequence[Figure]) -> str:
    """Over how many items, what guessing would give, and what each figure is."""
    which = "one item that is" if items == 1 else f"{items:,} items that are"
    parts = [f"Over the {which} scored so far."]
    told = [one for one in known if one.is_told]
    if kind == "WebQA":
        parts.append(
            "Chosen are the sources above the threshold. It is the best one on these very items, "
            "which flatters: choose it on others before you compare."
        )
    elif told:
        chance = sum(map(_by_chance, told)) / len(told)
        parts.append(f"Guessing would be right in {percent(chance)} of the questions.")
    parts += [
        f"{NAMES.get(name, name)}: {DEFINITIONS[name]}."
        for name, _ in figures
        if name in DEFINITIONS
    ]
    return " ".join(parts)


def _scoring(model: str, name: str) -> None:
    """The button that scores many, and how far that is."""
    job = set_scores.job(model, name)
    if job is not None and not job.is_done:
        progress(job)
        st.button(
            "Stop",
            icon=":material/stop_circle:",
            key="stop_scoring",
            on_click=set_scores.stop,
            args=(model, name),
            disabled=job.is_stopping,
        )
        return
    if job is not None and job.problem:
        (st.info if job.was_stopped else st.error)(escaped(job.problem))
    elif job is not None and job.result:
        items = counted(job.result, "item")
        st.caption(f"Of {items} nothing could be read, by this server or by the model.")
    count = len(sets.opened(name))
    most = min(count, set_scores.AT_MOST)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.number_input(
            "How many items, from the first",
            1,
            most,
            min(SUGGESTED, most),
            key=f"set_count_{name}",
            width=220,
        )
        if st.button(
            "Score the set",
            icon=":material/scoreboard:",
            key="score_set",
            disabled=not models.is_ready(model),
            help="In the background, for all visitors; what is scored already is not scored again.",
        ):
            set_scores.begin(model, name, wanted)
            st.rerun()

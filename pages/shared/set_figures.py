"""How well a model chooses over many items of a data set: scoring them, and the task's figures."""

from collections.abc import Sequence

import streamlit as st

from pages.shared import model_picker, models, set_scores, sets
from pages.shared.browsing import Browsed
from pages.shared.layout import escaped, percent
from pages.shared.progress import progress
from pages.shared.said import score
from vl_core.datasets.scored import Figure, Scored

SUGGESTED = 100  # items
NAMES = {
    "Q->A": "Q→A",
    "QA->R": "QA→R",
    "Q->AR": "Q→AR",
    "candidates": "Right",
    "retrieval F1": "Retrieval F1",
    "precision": "Precision",
    "recall": "Recall",
    "best source is right": "Highest is right",
    "threshold, the best on these questions": "Threshold",
}
DEFINITIONS = {
    "Q->A": "the share of items of which the model scores the right answer highest",
    "QA->R": "the same for the reason, given the right answer",
    "Q->AR": "both right for the same item",
    "candidates": "the share of items of which the right candidate has the highest score",
    "retrieval F1": "of precision and recall the harmonic mean, for each question over the sources "
    "whose score is above the threshold; then the mean over the questions",
    "best source is right": "the share of questions of which a right source has the highest score",
}


def draw(browsed: Browsed) -> None:
    """The figures so far, and the way to score more; nothing of a set with nothing to choose."""
    if not set_scores.offers_choices(browsed.name):
        return
    model = model_picker.chosen()
    st.subheader("How often is the model right?", anchor=False)
    _figures(model, browsed.name)
    _scoring(model, browsed.name)


def _figures(model: str, name: str) -> None:
    known = set_scores.all_scored(model, name)
    items = len({one.number for one in known})
    if not known:
        st.caption(f"{set_scores.called(model)} has scored no item of this set yet.")
        return
    figures = set_scores.figures(model, name)
    if not figures:
        st.caption(f"{items:,} items are scored; the set does not tell what is right.")
        return
    with st.container(horizontal=True, key="set_figures"):
        for title, value in figures:
            st.metric(NAMES.get(title, title), _written(title, value), width="content")
    st.caption(escaped(_said(sets.opened(name).kind, items, known, figures)))


def _written(name: str, value: float) -> str:
    return score(value) if name.startswith("threshold") else percent(value)


def _said(kind: str, items: int, known: Sequence[Scored], figures: Sequence[Figure]) -> str:
    """Over how many items, what guessing would give, and what each figure is."""
    which = "one item that is" if items == 1 else f"{items:,} items that are"
    parts = [f"Over the {which} scored so far."]
    told = [one for one in known if one.right]
    if kind != "WebQA":
        chance = sum(len(one.right or ()) / len(one.scores) for one in told) / len(told)
        parts.append(f"Guessing would be right in {percent(chance)} of the questions.")
    else:
        parts.append(
            "The threshold is the best one on these very items, which flatters: choose it on "
            "others before you compare."
        )
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
        st.caption(f"{job.result:,} items could not be read.")
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

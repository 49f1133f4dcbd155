"""An item without candidates: the set's answer, what the model says, and whether that is right."""

import streamlit as st

from pages.shared import model_picker
from pages.shared.data_sets import set_answers, set_asking, set_scores, sets
from pages.shared.data_sets.set_answers import Answered
from pages.shared.data_sets.set_outcomes import WORD_FOR_WORD
from pages.shared.layout import escaped
from pages.shared.said import NOTHING
from vl_core.datasets import Item
from vl_core.datasets.items import PLAIN
from vl_core.errors import VLError

BADGES = {
    True: " :green-badge[:material/check: right]",
    False: " :red-badge[:material/close: wrong]",
}
UNTOLD = {True: "It was right.", False: "It was wrong.", None: "Whether it was right is not told."}


def draw(name: str, number: int, item: Item) -> None:
    """What a model of this server answers to the item, or what the set's own model did."""
    if sets.holds_traces(name):
        st.markdown("The set holds what a model of its own did: no model has to run.")
        st.markdown(_of_own_model(item))
    elif PLAIN in sets.tasks_of(item):
        _of_model(model_picker.chosen(), name, number)


def _of_own_model(item: Item) -> str:
    """What it said, as far as the set tells; some tell that it was wrong and not what it said."""
    if item.said is None:
        return UNTOLD[item.was_right]
    return _verdict("The model said", item.said, item.answer, is_right=item.was_right)


def _of_model(model: str, name: str, number: int) -> None:
    found = _answered(model, name, number)
    if found is not None:
        who = f"{set_scores.called(model)} says"
        st.markdown(_verdict(who, found.said, found.right, is_right=found.is_right))
        stopped = " The answer was stopped; the model would have gone on."
        st.caption(
            f"Compared word for word.{stopped if found.is_cut_off else ''}",
            help=WORD_FOR_WORD,
            width="content",
        )


def _verdict(who: str, said: str, right: str | None, *, is_right: bool | None) -> str:
    """What it said and, where that is wrong, what is right, as Markdown."""
    what = f"{who} **{escaped(said.strip() or NOTHING)}**"
    if is_right is None or right is None:
        return f"{what}. {UNTOLD[is_right]}"
    return f"{what}{'' if is_right else f'; right is **{escaped(right)}**'}.{BADGES[is_right]}"


def _answered(model: str, name: str, number: int) -> Answered | None:
    """What the model answered; asked now where that is quick, else when it is wanted."""
    found = set_answers.answered(model, name, number)
    if found is not None or not set_asking.is_wanted(model, "answer this"):
        return found
    try:
        with st.spinner("Asking the model"):
            return set_answers.answer(model, name, number)
    except VLError as error:
        st.info(escaped(str(error)), icon=":material/info:")
        return None

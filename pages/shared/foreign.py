"""Pictures that the embedded model does not know: it was trained on generated scenes alone."""

import streamlit as st

from pages.shared import model_picker, session
from pages.shared.data_sets import browsing, sets
from vl_core.checkpoints import EMBEDDED_NAME

NOTE = (
    "The embedded model knows generated scenes only: on other pictures its answers mean nothing. "
    "The views still show what it really did."
)
OF_SCORES = (
    "The embedded model knows generated scenes only: on the pictures of this set its scores and "
    "answers mean nothing. Choose another model in the sidebar."
)
OF_FIGURES = (
    "**These figures say nothing about the set**: the embedded model knows generated scenes only."
)


def note(page: str) -> None:
    """Say it of what is on show, on the page of data sets also of what is looked at there.

    page: the file of the page that is about to be drawn.
    """
    if page == browsing.PAGE and is_judged(browsing.current().name):
        st.info(OF_SCORES, icon=":material/info:")
    elif _is_on_show():
        st.info(NOTE, icon=":material/info:")


def is_judged(name: str) -> bool:
    """Whether the model in the sidebar, which judges the items of a set, does not know them."""
    if model_picker.chosen() != EMBEDDED_NAME or sets.is_of_scenes(name):
        return False
    return sets.is_opened(name) and not sets.holds_traces(name)


def _is_on_show() -> bool:
    shown = session.request()
    is_foreign = shown.source == "upload" or (
        shown.source == "set" and not sets.is_of_scenes(shown.name)
    )
    return is_foreign and shown.model == EMBEDDED_NAME

"""Pictures that the embedded model does not know: it was trained on generated scenes alone."""

import streamlit as st

from pages.shared import model_picker, session
from pages.shared.data_sets import sets
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


def note() -> None:
    """Say it of what is on show, above the views of it."""
    shown = session.request()
    is_foreign = shown.source == "upload" or (
        shown.source == "set" and not sets.is_of_scenes(shown.name)
    )
    if is_foreign and shown.model == EMBEDDED_NAME:
        st.info(NOTE, icon=":material/info:")


def note_on_scores(name: str) -> None:
    """Say it of the scores and answers beside the items of a set."""
    if is_judged(name):
        st.info(OF_SCORES, icon=":material/info:")


def is_judged(name: str) -> bool:
    """Whether the model in the sidebar, which judges the items of a set, does not know them."""
    is_embedded = model_picker.chosen() == EMBEDDED_NAME
    return is_embedded and not sets.is_of_scenes(name) and not sets.holds_traces(name)

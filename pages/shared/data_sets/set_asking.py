"""Whether the chosen model shall judge now what is looked at: at once if quick, else when asked."""

import streamlit as st

from pages.shared import models
from pages.shared.data_sets import set_scores
from pages.shared.layout import escaped
from pages.shared.progress import POLL
from vl_core.checkpoints import EMBEDDED_NAME


def is_wanted(model: str, what: str) -> bool:
    """Whether the model shall do it; says what it takes where it cannot.

    what: shall be done, as a command: "score these".
    """
    if not models.is_ready(model):
        st.caption(
            f"**{escaped(model)}** is not loaded: load it under *Model* in the sidebar to have it "
            f"{what}."
        )
        return False
    if not set_scores.is_quick(model):
        return st.button(f"Let {escaped(model)} {what}", icon=":material/scoreboard:")
    if not models.is_loaded(EMBEDDED_NAME):
        _wait_for_embedded()
        return False
    return True


@st.fragment(run_every=POLL)
def _wait_for_embedded() -> None:
    """The first page of a server does not wait for the model, which comes some seconds later."""
    if models.is_loaded(EMBEDDED_NAME):
        st.rerun()
    st.caption("The scores follow as soon as the embedded model is loaded …")

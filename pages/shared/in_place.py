"""Something else in place of the picture, to see what an answer and a head owe to the picture."""

from dataclasses import replace

import streamlit as st

from pages.shared import requests, said, session
from pages.shared.layout import escaped
from vl_core.trace import Trace


def put(name: str) -> None:
    """Ask for what is on show with this in the picture's place; nothing is the picture itself.

    All stays selected, so that the same head and the same words can be compared.
    """
    session.ask(replace(session.request(), instead=name))


def note() -> None:
    """Say above the page what the model is shown if it is not the picture, and the way back."""
    shown = session.request()
    if not shown.instead:
        return
    what = requests.in_its_place(shown)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="in_place"):
        st.markdown(
            f"The model is shown **{escaped(what)}** and answers {_answer(session.trace())}; "
            f"with the picture itself {_answer(session.trace_with_own_picture())}.",
            width="content",
        )
        st.button("Show the picture itself", icon=":material/undo:", on_click=put, args=("",))


def _answer(trace: Trace) -> str:
    text, share = said.answer(trace.prediction)
    shown = f" ({escaped(share)})" if share else ""
    return f"**{escaped(text)}**{shown}".replace(" %", "\N{NO-BREAK SPACE}%")

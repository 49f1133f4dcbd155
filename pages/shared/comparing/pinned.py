"""The example that a visitor has pinned, to compare with it what is on show: A, and that is B."""

from collections.abc import Mapping

import streamlit as st

from pages.shared import selection, session
from pages.shared.data_sets import set_show
from pages.shared.requests import Request, Upload
from vl_core.trace import Trace

PAGE = "pages/compare.py"


def current() -> Request | None:
    """What is pinned, if anything is."""
    return st.session_state.get("pinned")


def upload() -> Upload | None:
    """The files behind what is pinned, where it is an upload of the visitor's own."""
    return st.session_state.get("pinned_upload")


def pin(wanted: Request, files: Upload | None = None) -> None:
    """Pin an example; files: those behind it if it is an upload."""
    st.session_state["pinned"] = wanted
    st.session_state["pinned_upload"] = files if wanted.is_private else None


def pin_what_is_on_show() -> None:
    """Let what is on show now be A for all that is put on show from here on."""
    pin(session.request(), session.kept_upload())


def unpin() -> None:
    """Compare nothing any more."""
    st.session_state.pop("pinned", None)
    st.session_state.pop("pinned_upload", None)


def trace(one: Request) -> Trace:
    """The trace of what is pinned, made now if it is not remembered; raises as an analysis does."""
    return session.trace_of(one, upload())


def show(wanted: Request) -> None:
    """Put an example on show beside what is pinned; of another model no layer is the same."""
    if wanted.source == "set":
        set_show.put(wanted)
        return
    if wanted.model == session.request().model:
        selection.forget_tokens()
    else:
        selection.forget()
    session.ask(wanted)
    st.session_state["fill_in"] = wanted


def swap(pins: Mapping[str, tuple[int, ...]]) -> None:
    """Pin what is on show and put on show what was pinned; all stays selected.

    pins: where the words that are chosen stand in what was pinned, by the selection's field.
    """
    one, files = current(), upload()
    if one is None:
        return
    pin_what_is_on_show()
    session.ask(one, files)
    st.session_state["fill_in"] = one
    selection.update(**pins)

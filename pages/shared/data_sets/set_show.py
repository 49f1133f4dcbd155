"""Putting an example of a data set on show, for all pages."""

from dataclasses import dataclass, replace

import streamlit as st

from pages.shared import model_picker, models, selection, session
from pages.shared.data_sets import sets
from pages.shared.data_sets.sets import Place
from pages.shared.requests import OWN_TENSORS, Request


@dataclass(frozen=True)
class Put:
    """What was put on show last, and what was selected before."""

    wanted: Request
    selection: dict[str, object]


def request(name: str, place: Place) -> Request:
    """The example with the model that is chosen in the sidebar, or with its own tensors."""
    model = OWN_TENSORS if sets.holds_traces(name) else model_picker.chosen()
    return Request(model, "set", name, "", place=place)


def is_ready(name: str) -> bool:
    """Whether an example of the set can be put on show: its model is loaded, or none is needed."""
    return sets.holds_traces(name) or models.is_ready(model_picker.chosen())


def put(wanted: Request) -> None:
    """Ask for an example of a set.

    Layer and head stay as long as set and model do, and on the same picture also words that are
    pinned in the part of the text that stays.
    """
    shown = session.request()
    st.session_state["put"] = Put(wanted, dict(st.session_state.get("selection", {})))
    is_same_set = (shown.model, shown.source, shown.name) == (wanted.model, "set", wanted.name)
    if shown.model != wanted.model:
        selection.forget()
    elif is_same_set:
        selection.stay(_shared_text(shown, wanted))
    else:
        selection.forget_tokens()
    session.ask(wanted)
    # Another model may be chosen in the sidebar, which the next analysis there will ask.
    st.session_state["fill_in"] = replace(wanted, model=model_picker.chosen())


def take_back(wanted: Request) -> bool:
    """Undo a `put` that could not be met: sidebar and selection are again those of what is on show.

    Returns whether it was one; what a visitor typed into the sidebar stays there, to be mended.
    """
    put: Put | None = st.session_state.get("put")
    if put is None or put.wanted != wanted:
        return False
    st.session_state["selection"] = put.selection
    st.session_state["fill_in"] = replace(session.request(), model=model_picker.chosen())
    return True


def _shared_text(shown: Request, wanted: Request) -> int:
    """How many characters of the text on show the wanted one begins with, on the same picture."""
    one, other = shown.place, wanted.place
    example = session.trace().example
    is_same_picture = one.item == other.item and example.task == "candidate"
    if not is_same_picture or shown.question or wanted.question:
        return 0
    return example.breaks[-1] if one.asked == other.asked else example.breaks[0]


def is_on_show(name: str, place: Place) -> bool:
    """Whether this example is the one on show, asked what the set asks."""
    shown = session.request()
    return (shown.source, shown.name, shown.place, shown.question) == ("set", name, place, "")


def said(request: Request) -> str:
    """An example of a set within its item, for reading: "Q→A, candidate 2 of 4".

    Nothing where the item has no other.
    """
    if request.question:
        return "its picture, with a question of your own"
    found = sets.asked(request.name, request.place)
    count, what = len(found.options), "source" if found.name == sets.SOURCES else "candidate"
    if count < 2:
        return ""
    which = f"{what} {request.place.option + 1} of {count}"
    return f"{task_name(found.name)}, {which}" if "->" in found.name else which


def task_name(name: str) -> str:
    """A task as it is called on screen."""
    return name.replace("->", "→")

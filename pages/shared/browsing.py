"""Which item of which data set a visitor looks at, and by what items are chosen.

To look at an item puts nothing on show. What is put on show is looked at, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from pages.shared import requests, session, sets
from pages.shared.sets import Place

OUTCOMES = ("any", "right", "wrong", "unknown")
PAGE = "pages/data_sets.py"
LISTED = 20  # items on a page of the list


@dataclass(frozen=True)
class Filter:
    """Which items are listed: all words stand in them, of a category, by the model's outcome."""

    text: str = ""
    category: str = ""
    outcome: str = "any"


@dataclass(frozen=True)
class Browsed:
    """The set's name, the item and what is asked of it, from 0; how items are chosen.

    page: of the list, from 0.
    """

    name: str
    item: int = 0
    asked: int = 0
    page: int = 0
    wanted: Filter = Filter()


def current() -> Browsed:
    """What is looked at: what was put on show last, unless the visitor went on from there."""
    shown = session.request()
    if shown.source == "set" and st.session_state.get("browsed_on_show") != shown:
        st.session_state["browsed_on_show"] = shown
        _follow(shown.name, shown.place)
    browsed = st.session_state.get("browsed")
    if browsed is None or browsed.name not in sets.names():
        browsed = st.session_state["browsed"] = Browsed(sets.names()[0])
    return browsed


def change(**changes: Any) -> None:  # noqa: ANN401 the fields of Browsed
    """Look at something else of the set; another filter starts on its first page."""
    if "wanted" in changes:
        changes = {"page": 0} | changes
    st.session_state["browsed"] = replace(current(), **changes)


def choose(name: str) -> None:
    """Look at another set, from its beginning and unfiltered."""
    # Compared, as what is on show must not take its place again, and as a browser that has not
    # drawn the last run yet may send the field's old value once more.
    if current().name != name:
        st.session_state["browsed"] = Browsed(name)


def _follow(name: str, place: Place) -> None:
    """Look at an example of a set; a filter of that set stays."""
    browsed = st.session_state.get("browsed")
    if browsed is None or browsed.name != name:
        browsed = Browsed(name)
    page = place.item // LISTED if browsed.wanted == Filter() else browsed.page
    st.session_state["browsed"] = replace(browsed, item=place.item, asked=place.asked, page=page)


def parameters() -> dict[str, str]:
    """What names the item in an address, where it is not the one on show anyway."""
    browsed, shown = current(), session.request()
    if shown.source == "set" and (shown.name, shown.place.item) == (browsed.name, browsed.item):
        return {}
    return {"browse": browsed.name, "entry": str(browsed.item + 1)}


def follow(address: Mapping[str, str]) -> None:
    """Look at the item that an address names, if there is one."""
    number = requests.number(address.get("entry"))
    if address.get("browse") in sets.names() and number:
        current()
        item = number - 1
        st.session_state["browsed"] = Browsed(address["browse"], item, page=item // LISTED)

"""Which item of which data set a visitor looks at, and by what items are chosen.

To look at an item puts nothing on show. What is put on show is looked at, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from pages.shared import requests, session
from pages.shared.data_sets import sets
from pages.shared.data_sets.sets import Place

OUTCOMES = ("any", "right", "wrong", "unknown")
PAGE = "pages/data_sets.py"
LONGEST = 200  # characters that are searched for


@dataclass(frozen=True)
class Filter:
    """Which items are listed: all words stand in them, of a category, by the model's outcome."""

    text: str = ""
    category: str = ""
    outcome: str = "any"


@dataclass(frozen=True)
class Browsed:
    """The set's name, the item and what is asked of it, from 0; how items are chosen.

    page: of the list, from 0; None for the one on which the item stands.
    """

    name: str
    item: int = 0
    asked: int = 0
    page: int | None = None
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
    """Look at something else of the set; the list turns to it, or to the start if filtered anew."""
    if "wanted" in changes:
        changes = {"page": 0} | changes
    elif "item" in changes:
        changes = {"page": None} | changes
    st.session_state["browsed"] = replace(current(), **changes)


def clear() -> None:
    """List all items again, on the page of the one that is looked at."""
    change(wanted=Filter(), page=None)


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
    st.session_state["browsed"] = replace(browsed, item=place.item, asked=place.asked, page=None)


def parameters() -> dict[str, str]:
    """What an address names of the list: an item that is not the one on show, and the filter."""
    browsed, shown = current(), session.request()
    found = {}
    if shown.source != "set" or (shown.name, shown.place.item) != (browsed.name, browsed.item):
        found = {"browse": browsed.name, "entry": str(browsed.item + 1)}
    if browsed.wanted == Filter():
        return found
    wanted = browsed.wanted
    told = {"find": wanted.text, "category": wanted.category, "outcome": wanted.outcome}
    told["list"] = "" if browsed.page is None else str(browsed.page + 1)
    return found | {part: value for part, value in told.items() if value not in ("", "any")}


def follow(address: Mapping[str, str], *, is_back: bool) -> None:
    """Look at the item that an address names, in a list that is filtered as it says.

    is_back: an address without a filter is one of before items were chosen by any; otherwise it is
    a way to this page that says nothing of the list, which stays as it is.
    """
    wanted, names = _filter(address), sets.names()
    if address.get("browse") in names and requests.number(address.get("entry")):
        current()  # what is on show must not take its place
        name, item, asked = address["browse"], _from_0(address, "entry"), 0
    elif address.get("set") in names and (is_back or wanted != Filter()):
        name, item, asked = address["set"], _from_0(address, "item"), _from_0(address, "asked")
    else:
        return
    page = _from_0(address, "list") if "list" in address else None
    st.session_state["browsed"] = Browsed(name, item, asked, page, wanted)


def _filter(address: Mapping[str, str]) -> Filter:
    """The filter that an address names; of an outcome that there is not, any."""
    outcome = address.get("outcome", "any")
    return Filter(
        address.get("find", "")[:LONGEST],
        address.get("category", ""),
        outcome if outcome in OUTCOMES else "any",
    )


def _from_0(address: Mapping[str, str], part: str) -> int:
    """A number of an address, which counts from 1; the first where there is none."""
    return max(0, (requests.number(address.get(part)) or 1) - 1)

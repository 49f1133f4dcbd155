"""Where a visitor is on the tour, and how to get to one of its stops."""

import streamlit as st

from pages.shared import requests, selection, session
from pages.shared.tour_figures import head_followed
from pages.shared.tour_steps import STEPS, Step


def number() -> int | None:
    """The stop at which the visitor is, from 1; None for one who is not on the tour."""
    return st.session_state.get("tour")


def named(said: str | None) -> int | None:
    """The stop that an address names, or None."""
    found = requests.number(said)
    return found if found is not None and 1 <= found <= len(STEPS) else None


def passed(named: int | None, page: str) -> int | None:
    """The stop that who goes back in the browser has come to, on a page whose address names one.

    Streamlit leaves two entries in the browser's history when the page changes, the first of them
    the old page with the new address: there it is the stop of that page.
    """
    if named is None or named == 1 or step(named).page == page:
        return named
    return named - 1 if step(named - 1).page == page else named


def join(number: int | None) -> None:
    """Note that the visitor is at this stop, or not on the tour."""
    if number is None:
        st.session_state.pop("tour", None)
    else:
        st.session_state["tour"] = number


def step(number: int) -> Step:
    """The stop with this number."""
    return STEPS[number - 1]


def select(stop: Step) -> None:
    """Select what is on show at a stop; its picture must be on show already."""
    layer, head = head_followed()
    selection.forget()
    selection.update(layer=layer, head=head, **stop.shows)


def arrive(number: int) -> bool:
    """Show what belongs to a stop; False if its picture cannot be analysed."""
    stop = step(number)
    session.ask(stop.request)
    session.analyse_if_asked()
    if session.request() != stop.request:
        return False
    select(stop)
    join(number)
    st.session_state["fill_in"] = stop.request
    return True

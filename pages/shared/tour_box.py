"""The box above each page that leads through the app, as long as the tour is on."""

import streamlit as st

from pages.shared import permalink, tour
from pages.shared.layout import escaped
from pages.shared.tour_steps import STEPS


def draw() -> None:
    """What to do and to see at this stop, and the way to the others."""
    number = tour.number()
    if number is None:
        return
    step = tour.step(number)
    with st.container(border=True, key="tour", gap="xsmall"):
        st.markdown(f"**Step {number} of {len(STEPS)}: {step.title}**")
        st.markdown(step.text)
        figures = step.figures(step.request)
        if figures:
            st.markdown(escaped(figures))
        _buttons(number)


def offer() -> None:
    """The way into the tour, for whoever is not on it."""
    is_wanted = tour.number() is None and st.button("Take the tour", icon=":material/tour:")
    if is_wanted:
        _go(1)


def _buttons(number: int) -> None:
    with st.container(horizontal=True, gap="small"):
        back = st.button("Back", icon=":material/arrow_back:", disabled=number == 1)
        onward = number < len(STEPS) and st.button(
            "Next", type="primary", icon=":material/arrow_forward:", icon_position="right"
        )
        again = st.button("Set up again", icon=":material/replay:", type="tertiary")
        st.button(
            "End the tour",
            icon=":material/close:",
            type="tertiary",
            on_click=tour.join,
            args=(None,),
        )
    if back:
        _go(number - 1)
    if onward:
        _go(number + 1)
    if again:
        _go(number)


def _go(number: int) -> None:
    """To a stop's page, with the address of what is on show there."""
    if tour.arrive(number):
        st.switch_page(tour.step(number).page, query_params=permalink.parameters())

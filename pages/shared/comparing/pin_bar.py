"""Pinning an example for a comparison, where it is looked at."""

import streamlit as st

from pages.shared import permalink, session
from pages.shared.comparing import pinned
from pages.shared.data_sets import set_show
from pages.shared.data_sets.sets import Place
from pages.shared.layout import escaped

PIN = ":material/keep:"


def draw() -> None:
    """The button that pins what is on show, and the way to compare it with what is pinned."""
    one, shown = pinned.current(), session.request()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="pin_bar"):
        if one is not None:
            st.page_link(
                pinned.PAGE,
                label="Compare with the pinned example" if one != shown else "Compare",
                icon=":material/compare_arrows:",
                query_params=permalink.parameters(),
                width="content",
            )
        if one == shown:
            st.button("Unpin", icon=":material/keep_off:", on_click=pinned.unpin, type="tertiary")
            st.caption(
                "Pinned as A: what you put on show next can be compared with it.", width="content"
            )
        else:
            st.button(
                "Pin for comparison" if one is None else "Pin this one instead",
                icon=PIN,
                on_click=pinned.pin_what_is_on_show,
                type="tertiary",
                help="Keep this example as A, to compare its heads and its attention with those of "
                "another one.",
            )


def of_option(name: str, place: Place, problem: str) -> None:
    """The button that pins an example of a data set; problem: why it cannot be read, if so."""
    wanted = set_show.request(name, place)
    is_pinned = wanted == pinned.current()
    st.button(
        "Pinned" if is_pinned else "Pin",
        key=f"pin_{place.option}",
        icon=PIN,
        type="tertiary",
        disabled=bool(problem) or is_pinned or not set_show.is_ready(name),
        on_click=pinned.pin,
        args=(wanted,),
        help=escaped(problem)
        or "For a comparison with another one: this will be A on the page Compare.",
    )

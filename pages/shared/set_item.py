"""One item of a data set as its task shows it, and the way to look inside a model that reads it."""

import streamlit as st

from pages.shared import browsing, permalink, session, set_options, set_picture, set_show, sets
from pages.shared.browsing import Browsed
from pages.shared.layout import escaped
from pages.shared.sets import SOURCES, Place
from vl_core.datasets import Item
from vl_core.errors import VLError

VIEWS = {
    "pages/overview.py": "Overview",
    "pages/heads.py": "Heads",
    "pages/attention.py": "Attention",
    "pages/hidden_states.py": "Hidden states",
}
OUTCOMES = {
    True: "It was right.",
    False: "It was wrong.",
    None: "Whether it was right is not told.",
}


def draw(browsed: Browsed) -> None:
    """The item that is looked at, or why it cannot be read."""
    try:
        item = sets.item(browsed.name, browsed.item)
    except VLError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    place = min(browsed.asked, len(item.asked) - 1)
    asked = item.asked[place]
    st.subheader(f"{browsed.item + 1:,} · {escaped(item.text)}", anchor=False)
    _choose_task(item, place)
    if asked.name != SOURCES:
        _picture(browsed.name, Place(browsed.item, place))
    if asked.text != item.text:
        st.markdown(escaped(asked.text))
    if len(asked.options) > 1:
        set_options.draw(browsed, place, asked)
    else:
        _only(browsed.name, Place(browsed.item, place), item)
    _facts(item)
    _lead_on(browsed)


def _choose_task(item: Item, place: int) -> None:
    if len(item.asked) < 2:
        return
    st.session_state["set_asked"] = place
    st.segmented_control(
        "Task",
        range(len(item.asked)),
        format_func=lambda one: set_show.task_name(item.asked[one].name),
        key="set_asked",
        required=True,
        label_visibility="collapsed",
        on_change=lambda: browsing.change(asked=st.session_state["set_asked"]),
    )


def _picture(name: str, place: Place) -> None:
    try:
        found = set_picture.whole(name, place)
    except VLError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    if found is None:
        st.caption("Without a picture.")
        return
    boxes = f" with boxes around {', '.join(found.names)}" if found.names else ""
    with st.container(key="set_picture"):
        st.image(found.svg, alt=f"The picture{boxes}", width=found.width)


def _only(name: str, place: Place, item: Item) -> None:
    """An item without candidates: the answer, what the set holds, and the way inside."""
    if item.answer is not None:
        st.markdown(f"Answer: **{escaped(item.answer)}**")
    if sets.holds_traces(name):
        st.markdown(
            "The set holds what a model of its own did: no model has to run. "
            + OUTCOMES[item.was_right]
        )
    set_options.look_inside(name, place)


def _facts(item: Item) -> None:
    asked = item.asked[0]
    is_marked = any(option.title == item.answer for option in asked.options)
    told = {"answer": None if is_marked or len(asked.options) < 2 else item.answer}
    told |= {"category": item.category, **item.facts}
    lines = [f"{escaped(what)}: {escaped(one)}" for what, one in told.items() if one]
    if lines:
        # Pictures of VCR have names that would pass for addresses of mail: the joiner parts them.
        st.caption("  \n".join(lines).replace("@", "@\N{WORD JOINER}"))


def _lead_on(browsed: Browsed) -> None:
    """The way to the views of what is on show, if that is of this item."""
    shown = session.request()
    if (shown.source, shown.name, shown.place.item) != ("set", browsed.name, browsed.item):
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="set_views"):
        st.markdown(f"On show: {escaped(set_show.said(shown))}. See it on", width="content")
        for page, title in VIEWS.items():
            st.page_link(page, label=title, query_params=permalink.parameters(), width="content")

"""One item of a data set as its task shows it, and the way to look inside a model that reads it."""

from collections.abc import Collection

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared import permalink, session
from pages.shared.comparing import pin_bar
from pages.shared.data_sets import browsing, set_options, set_picture, set_show, set_verdict, sets
from pages.shared.data_sets.browsing import Browsed
from pages.shared.data_sets.set_picture import Drawn
from pages.shared.data_sets.sets import SOURCES, Place
from pages.shared.layout import escaped
from vl_core.datasets import Item, boxes
from vl_core.errors import VLError

VIEWS = {
    "pages/overview.py": "home",
    "pages/heads.py": "grid_on",
    "pages/attention.py": "center_focus_strong",
    "pages/hidden_states.py": "scatter_plot",
}
MOST = 8  # candidates beside a picture; more would make a long and narrow column
BESIDE = 280  # pixels, the least of what stands beside a picture, and of the picture


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
    _lead_on(browsed)
    _answer(item)
    told: set[str] = set()
    if asked.name == SOURCES:
        set_options.cards(browsed, place, asked, _task(item, place))
    else:
        picture = _with_picture(browsed, place, item)
        if picture is not None and picture.left_out:
            told = {boxes.LEFT_OUT}  # below the picture, in its own pixels
    _facts(item, told)


def _task(item: Item, place: int) -> DeltaGenerator:
    """What is asked, chosen where there is a choice; returns the line of that."""
    line = st.container(horizontal=True, vertical_alignment="center")
    if len(item.asked) > 1:
        st.session_state["set_asked"] = place
        line.segmented_control(
            "Task",
            range(len(item.asked)),
            format_func=lambda one: set_show.task_name(item.asked[one].name),
            key="set_asked",
            required=True,
            label_visibility="collapsed",
            on_change=lambda: browsing.change(asked=st.session_state["set_asked"]),
        )
    if item.asked[place].text != item.text:
        st.markdown(escaped(item.asked[place].text))
    return line


def _answer(item: Item) -> None:
    """The right answer, unless it is one of the candidates, where it is marked."""
    options = item.asked[0].options
    is_marked = len(options) > 1 and any(option.title == item.answer for option in options)
    if item.answer is not None and not is_marked:
        st.markdown(f"Answer: **{escaped(item.answer)}**")


def _with_picture(browsed: Browsed, place: int, item: Item) -> Drawn | None:
    """The picture, and with it what there is to choose from or to look into; returns the picture.

    None where there is none, or it cannot be read.
    """
    asked, where = item.asked[place], Place(browsed.item, place)
    picture, problem = None, ""
    try:
        picture = set_picture.whole(browsed.name, where)
    except VLError as error:
        problem = str(error)
        st.error(escaped(problem), icon=":material/error:")
    with _room_with(picture, len(asked.options)):
        if picture is None and not problem:
            st.caption("Without a picture.")
        if len(asked.options) > 1:
            set_options.rows(browsed, place, asked, problem, _task(item, place))
        else:
            _only(browsed.name, where, item, problem)
    return picture


def _room_with(picture: Drawn | None, count: int) -> DeltaGenerator:
    """Room for so many candidates beside the picture.

    It is below where the picture is broad, the window narrow, or the candidates many.
    """
    if picture is None:
        return st.container()
    if picture.is_broad or count > MOST:
        _picture(picture)
        return st.container()
    grid = st.grid(2, min_column_width=BESIDE, key="set_beside")
    with grid.cell():
        _picture(picture)
    return grid.cell()


def _picture(picture: Drawn) -> None:
    named = f" with boxes around {', '.join(picture.names)}" if picture.names else ""
    with st.container(key="set_picture"):
        st.image(picture.svg, alt=f"The picture{named}", width=picture.width)
        if picture.left_out:
            st.caption(":material/warning: " + escaped(" ".join(picture.left_out)))


def _only(name: str, place: Place, item: Item, problem: str) -> None:
    """An item without candidates: what a model says to it, and the way inside.

    problem: why it cannot be read, if so; then there is no way inside.
    """
    if problem:
        return
    set_verdict.draw(name, place.item, item)
    if sets.holds_traces(name) and not _can_be_shown(name, place):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        set_options.look_inside(name, place, "")
        pin_bar.of_option(name, place, "")


def _can_be_shown(name: str, place: Place) -> bool:
    """Whether the tensors that the set holds of an item make a trace; says why if they do not."""
    try:
        session.trace_of(set_show.request(name, place))
    except VLError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return False
    return True


def _facts(item: Item, told: Collection[str]) -> None:
    """What else the set tells of the item, but for the facts of these names."""
    facts = {"category": item.category, **item.facts}
    lines = [
        f"{escaped(what)}: {escaped(one)}"
        for what, one in facts.items()
        if one and what not in told
    ]
    if lines:
        with st.expander("As the file has it", icon=":material/description:"):
            # Pictures of VCR have names that would pass for addresses of mail: the joiner parts
            # them.
            st.caption("  \n".join(lines).replace("@", "@\N{WORD JOINER}"))


def _lead_on(browsed: Browsed) -> None:
    """The way to the views of what is on show, if that is of this item, where it was chosen."""
    shown = session.request()
    if (shown.source, shown.name, shown.place.item) != ("set", browsed.name, browsed.item):
        return
    which = ": ".join(filter(None, ["On show", set_show.said(shown)]))
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="set_views"):
        st.markdown(f":violet-badge[{escaped(which)}]", width="content")
        for page, icon in VIEWS.items():
            st.page_link(
                page,
                icon=f":material/{icon}:",
                query_params=permalink.parameters(),
                width="content",
            )

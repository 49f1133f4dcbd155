"""What is chosen on the heads page: whose attention, which number, in which view."""

from collections.abc import Callable

import streamlit as st

from pages.shared import in_place, requests, selection, session
from pages.shared.head_numbers import (
    COUNTERPARTS,
    has_change,
    has_specials_choice,
    menu,
    menu_label,
)
from pages.shared.selection import Selection
from pages.shared.stack_names import all_called
from vl_core.head_stats import vlinterpret
from vl_core.trace import Trace

MENU_WIDTH = 290  # pixels; the longest name fits
VIEW_NAMES = {
    "raw": "Values",
    "z": "z-scores",
    "change": "Change",
    "vlinterpret": "As VL-InterpreT computed it",
}


def draw(trace: Trace, chosen: Selection) -> None:
    """The controls in one row; what they change goes into the selection that all pages share."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        _statistic_and_view(trace, chosen)
        st.session_state["heads_specials"] = chosen.specials
        st.toggle(
            "Count special tokens",
            key="heads_specials",
            on_change=_keep("specials"),
            disabled=not has_specials_choice(chosen),
            help="Whether class, separator and other special tokens take part, among them what a "
            "prompt has around the question.",
        )


def _statistic_and_view(trace: Trace, chosen: Selection) -> None:
    """Whose attention, which number, in which view; labels on one line."""
    with st.container(horizontal=True, vertical_alignment="top", gap="medium", width="content"):
        if len(trace.stacks) > 1:
            _choice("stack", "Attention of", all_called(trace), chosen.stack)
        if chosen.view == "vlinterpret":
            _choose_menu_label(chosen)
        else:
            _choice("statistic", "Statistic", menu(), chosen.statistic)
        st.session_state["heads_view"] = chosen.view
        st.segmented_control(
            "Shown as",
            [view for view in VIEW_NAMES if view != "change" or has_change(chosen)],
            format_func=VIEW_NAMES.get,
            key="heads_view",
            required=True,
            on_change=_keep_view,
        )


def _choice(what: str, label: str, names: dict[str, str], value: str) -> None:
    """A searchable menu that shows and changes one part of the selection."""
    st.session_state[f"heads_{what}"] = value
    st.selectbox(
        label,
        list(names),
        format_func=names.__getitem__,
        key=f"heads_{what}",
        on_change=_choose_stack if what == "stack" else _keep(what),
        width=MENU_WIDTH,
    )


def _choose_stack() -> None:
    selection.choose_stack(st.session_state["heads_stack"])


def _keep(what: str) -> Callable[[], None]:
    return lambda: selection.update(**{what: st.session_state[f"heads_{what}"]})


def _keep_view() -> None:
    """A change needs something to compare with: a blank picture unless there is something."""
    view = st.session_state["heads_view"]
    if view == "change" and not session.request().instead:
        in_place.put(requests.BLANK)
    selection.update(view=view)


def _choose_menu_label(chosen: Selection) -> None:
    """VL-InterpreT's own menu; the selection keeps the correct statistic behind the entry."""

    def keep() -> None:
        selection.update(statistic=COUNTERPARTS[st.session_state["heads_menu"]].key)

    st.session_state["heads_menu"] = menu_label(chosen)
    st.selectbox(
        "Statistic", vlinterpret.LABELS, key="heads_menu", on_change=keep, width=MENU_WIDTH
    )

"""The bar above each page that says which example of a data set is on show, and leads to others."""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from pages.shared import model_picker, permalink, session
from pages.shared.data_sets import browsing, set_list, set_outcomes, set_show, set_steps, sets
from pages.shared.data_sets.browsing import Browsed, Filter
from pages.shared.data_sets.sets import Place
from pages.shared.layout import cut, escaped
from pages.shared.requests import Request
from vl_core.datasets import Item
from vl_core.errors import VLError

LONGEST = 140  # characters of an option's title


def draw() -> None:
    """Set, item, task and candidate on show, with steps to those beside; of nothing else nothing.

    All that is selected on the page stays selected.
    """
    shown = session.request()
    if shown.source != "set":
        return
    try:
        item = sets.item(shown.name, shown.place.item)
    except VLError as error:  # what is on show is remembered; its files may have gone
        st.warning(escaped(str(error)), icon=":material/info:")
        return
    with st.container(border=True, key="set_bar", gap="small"):
        if passed := set_steps.passed_over():
            st.warning(escaped(passed), icon=":material/skip_next:")
        st.markdown(_said(shown, item))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _options(shown, item)
            _tasks(shown, item)
            _items(shown)
            st.page_link(
                browsing.PAGE,
                label="All of this item",
                icon=":material/dataset:",
                query_params=permalink.parameters(),
                width="content",
            )


def _said(shown: Request, item: Item) -> str:
    where = f"**{escaped(shown.name)}** · item {shown.place.item + 1:,}"
    what = " · ".join(filter(None, [where, escaped(set_show.said(shown))]))
    options = item.asked[shown.place.asked].options
    if shown.question or len(options) < 2:
        return what
    return f"{what}: *{escaped(cut(options[shown.place.option].title, LONGEST))}*"


def _options(shown: Request, item: Item) -> None:
    """The candidates or sources before and after the one on show."""
    asked, now = item.asked[shown.place.asked], shown.place.option
    if len(asked.options) < 2:
        return
    what = "source" if asked.name == sets.SOURCES else "candidate"
    for label, icon, option in (
        (f"Previous {what}", "chevron_left", now - 1),
        (f"Next {what}", "chevron_right", now + 1),
    ):
        there = replace(shown.place, option=option)
        is_there = 0 <= option < len(asked.options)
        _button(label, icon, lambda there=there: _show(shown, there), is_there=is_there)


def _tasks(shown: Request, item: Item) -> None:
    """What else is asked of the item, each with the option of the same number if it has one."""
    for place, asked in enumerate(item.asked):
        if place != shown.place.asked:
            option = min(shown.place.option, len(asked.options) - 1)
            there = Place(shown.place.item, place, option)
            label = f"To {set_show.task_name(asked.name)}"
            _button(label, "swap_horiz", lambda there=there: _show(shown, there))


def _items(shown: Request) -> None:
    """The items before and after it, of those that are chosen on the page of the set."""
    browsed = browsing.current()
    is_same = browsed.name == shown.name
    numbers = set_list.found(browsed) if is_same else range(len(sets.opened(shown.name)))
    ends = sorted((shown.place.item, set_steps.reached(shown)))
    before, _ = set_list.around(numbers, ends[0])
    _, after = set_list.around(numbers, ends[1])
    for label, icon, there in (
        ("Previous item", "keyboard_double_arrow_left", numbers[:before][::-1]),
        ("Next item", "keyboard_double_arrow_right", numbers[after:]),
    ):
        _button(label, icon, lambda there=there: set_steps.go(shown, there), is_there=bool(there))
    if is_same and browsed.wanted != Filter():
        st.caption(escaped(_chosen_by(browsed, len(numbers))), width="content")
        _button("All items", "filter_alt_off", browsing.clear)


def _chosen_by(browsed: Browsed, count: int) -> str:
    """Among which items the buttons step, as they are chosen on the page of the set."""
    wanted, words = browsed.wanted, set_outcomes.words(model_picker.chosen(), browsed.name)
    parts = ["Among", (words.items if words else {}).get(wanted.outcome, "the items")]
    parts += [f"with “{wanted.text}”"] * bool(wanted.text)
    parts += [f"in “{wanted.category}”"] * bool(wanted.category)
    return f"{' '.join(parts)} ({count:,})"


def _button(label: str, icon: str, step: Callable[[], None], *, is_there: bool = True) -> None:
    st.button(
        label,
        icon=f":material/{icon}:",
        key=f"set_bar_{label}",
        type="tertiary",
        disabled=not is_there,
        on_click=step,
    )


def _show(shown: Request, place: Place) -> None:
    set_show.put(replace(shown, place=place, question=""))

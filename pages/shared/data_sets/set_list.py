"""The items of a data set: what they are chosen by, a page of them, and the way to the others."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from pages.shared import model_picker
from pages.shared.data_sets import browsing, set_outcomes, set_scores, set_search, sets
from pages.shared.data_sets.browsing import Browsed, Filter
from pages.shared.data_sets.set_search import Search
from pages.shared.layout import cut, escaped
from pages.shared.progress import POLL
from vl_core.counted import counted
from vl_core.errors import VLError

# Items on a page: so few that all of them are in sight, also the chosen one, and in a narrow window
# the item below them. Nothing could scroll to the chosen one of a longer list.
LISTED = 8
LONGEST, LONGEST_CATEGORY = 64, 24  # characters in the list
MARKS = {
    True: ":green[:material/check:] ",
    False: ":red[:material/close:] ",
    None: ":gray[:material/remove:] ",
}
PAGER = 252  # pixels, of five pages and the arrows


def filters(browsed: Browsed) -> None:
    """The fields by which items are chosen."""
    wanted = browsed.wanted
    st.session_state["set_text"] = wanted.text
    st.text_input(
        "Search",
        key="set_text",
        placeholder="Words of question, candidates, titles or answer",
        icon=":material/search:",
        max_chars=browsing.LONGEST,
        on_change=_narrow,
        args=("text", "set_text"),
    )
    known = sets.categories(browsed.name)
    if known:
        st.session_state["set_category"] = wanted.category
        st.selectbox(
            "Category",
            list(dict.fromkeys(["", *known, wanted.category])),  # a link may name any
            format_func=lambda one: one or "All",
            key="set_category",
            on_change=_narrow,
            args=("category", "set_category"),
            width=150,
        )
    words = set_outcomes.words(model_picker.chosen(), browsed.name)
    if words is not None:
        st.session_state["set_outcome"] = wanted.outcome
        st.selectbox(
            words.whose,
            list(words.names),
            format_func=words.names.__getitem__,
            key="set_outcome",
            on_change=_narrow,
            args=("outcome", "set_outcome"),
            help=words.help or None,
            width=230,
        )


def draw(browsed: Browsed) -> None:
    """How many items were found, a page of them, and the pager."""
    search, numbers = set_search.search(browsed), found(browsed)
    n_pages = max(1, -(-len(numbers) // LISTED))
    page = min(_page(browsed, numbers), n_pages - 1)
    shown = list(numbers[page * LISTED : (page + 1) * LISTED])
    st.caption(_counted(browsed, numbers, search))
    if search is not None and not search.job.is_done:
        _watch(search, len(search.found), is_full=len(shown) == LISTED)
    elif search is not None and search.job.problem:
        st.error(escaped(search.job.problem), icon=":material/error:")
    if shown:
        _choice(browsed, shown)
    elif browsed.wanted != Filter() and (search is None or search.job.is_done):
        st.info("No item fits.", icon=":material/filter_alt_off:")
        st.button("Clear the filter", key="clear_filter", on_click=browsing.clear)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if n_pages > 1:
            # Its value cannot be set from outside: another page is another pager.
            key = f"set_page_{page + 1}"
            st.pagination(
                n_pages,
                default=page + 1,
                key=key,
                max_visible_pages=5,
                width=PAGER,  # else it leaves out pages where there is room for them
                on_change=_turn,
                args=(key,),
            )
            _jump(browsed)


def _page(browsed: Browsed, numbers: Sequence[int]) -> int:
    """The page of the list that is turned to, by default that of the item."""
    return around(numbers, browsed.item)[0] // LISTED if browsed.page is None else browsed.page


def found(browsed: Browsed) -> Sequence[int]:
    """The numbers of the items that are chosen, as far as they are found; in order."""
    search = set_search.search(browsed)
    count = len(sets.opened(browsed.name))
    numbers = range(count) if search is None else search.found.copy()
    outcome = browsed.wanted.outcome
    if outcome == "any" or sets.holds_traces(browsed.name):
        return numbers
    known = set_scores.outcomes(model_picker.chosen(), browsed.name)
    if outcome == "unknown":
        return [number for number in numbers if number not in known]
    is_right = outcome == "right"
    if search is None:  # the known ones are few, where the set may be large
        return [number for number, right in known.items() if right == is_right]
    return [number for number in numbers if known.get(number) == is_right]


def around(numbers: Sequence[int], number: int) -> tuple[int, int]:
    """How many of these come before this one, which need not be among them, and up to it."""
    return bisect_left(numbers, number), bisect_right(numbers, number)


def _narrow(field: str, key: str) -> None:
    now = browsing.current().wanted
    wanted = replace(now, **{field: st.session_state[key]})
    if wanted != now:
        browsing.change(wanted=wanted)


def _turn(key: str) -> None:
    browsing.change(page=st.session_state[key] - 1)


@st.fragment(run_every=POLL)
def _watch(search: Search, n_found: int, *, is_full: bool) -> None:
    """How far the search is; the list is drawn anew when it has ended or has more to show."""
    search.look()
    if search.job.is_done or (not is_full and len(search.found) > n_found):
        st.rerun()
    st.progress(search.job.share or 0.0, search.job.sentence)


def _counted(browsed: Browsed, numbers: Sequence[int], search: Search | None) -> str:
    count = len(sets.opened(browsed.name))
    if browsed.wanted == Filter():
        return counted(count, "item")
    said = f"{len(numbers):,} of {counted(count, 'item')}"
    if search is not None and search.n_unreadable:
        said += f"; {search.n_unreadable:,} could not be read"
    return said


def _choice(browsed: Browsed, numbers: list[int]) -> None:
    """The items of a page, of which the one that is looked at is chosen if it is among them."""
    known = set_scores.outcomes(model_picker.chosen(), browsed.name)
    is_known = {number: _is_right(browsed.name, number, known) for number in numbers}
    has_marks = any(one is not None for one in is_known.values())
    marks = {n: MARKS[one] if has_marks else "" for n, one in is_known.items()}
    labels = {number: marks[number] + _label(browsed.name, number) for number in numbers}
    st.session_state["set_item"] = browsed.item if browsed.item in labels else None
    with st.container(border=True, key="set_items"):
        st.radio(
            "Items",
            numbers,
            format_func=labels.__getitem__,
            key="set_item",
            index=None,
            label_visibility="collapsed",
            width="stretch",
            on_change=lambda: browsing.change(item=st.session_state["set_item"]),
        )


def _is_right(name: str, number: int, known: Mapping[int, bool]) -> bool | None:
    """Whether the model was right, or the set's own model; None where that is not known."""
    if not sets.holds_traces(name):
        return known.get(number)
    try:
        return sets.item(name, number).was_right
    except VLError:
        return None


def _label(name: str, number: int) -> str:
    """An item in a line, as Markdown: its number, the question and what it is counted to."""
    try:
        item = sets.item(name, number)
    except VLError:
        return f"**{number + 1:,}** :gray[cannot be read]"
    text, category = cut(item.text, LONGEST), cut(item.category, LONGEST_CATEGORY)
    badge = f" :gray-badge[{escaped(category)}]" if category else ""
    return f"**{number + 1:,}** {escaped(text)}{badge}"


def _jump(browsed: Browsed) -> None:
    """Straight to an item by its number."""
    st.session_state["set_number"] = browsed.item + 1
    st.number_input(
        "Go to item number",
        1,
        len(sets.opened(browsed.name)),
        key="set_number",
        on_change=lambda: browsing.change(item=st.session_state["set_number"] - 1),
        width=200,
    )

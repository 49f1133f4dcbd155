"""Finding items of a data set by their words, in the background where the set is large."""

import time
from collections.abc import Callable
from contextlib import nullcontext

import streamlit as st

from pages.shared.background import Job, Report
from pages.shared.data_sets import sets
from pages.shared.data_sets.browsing import Browsed
from vl_core.counted import counted
from vl_core.datasets import Dataset, Item
from vl_core.errors import VLError

AT_ONCE = 0.6  # seconds that a page waits for a search to end, as those of small sets do
TOLD_EVERY = 20  # items
BREATH = 0.002  # seconds after every 20 items that are left to the pages of all visitors
PATIENCE = 60  # seconds after which nobody is taken to wait any longer
STOPPED = "The search was stopped."

_Key = tuple[str, str, str, str]


class Search:
    """A search through a whole set. found: the numbers of items that fit so far, in order.

    n_unreadable: items that could not be read. It ends early when nobody looks at it for a while,
    and goes on from there.
    """

    def __init__(self, key: _Key, data: Dataset) -> None:
        self.key, self.found = key, list[int]()
        self.n_unreadable = 0
        self._data, self._next = data, 0
        self.look()
        # By itself: it does not wait for other computations, which may take much longer.
        self.job = Job(self._run, nullcontext())

    def look(self) -> None:
        """Note that somebody waits for it."""
        self._looked_at = time.monotonic()

    def _run(self, report: Report) -> None:
        count, fits = len(self._data), _fitting(self.key)
        for number in range(self._next, count):
            if number % TOLD_EVERY == 0:
                report(number / count, f"Searched {number:,} of {counted(count, 'item')}")
                if time.monotonic() - self._looked_at > PATIENCE:
                    self.job.stop(STOPPED)
                time.sleep(BREATH)
            try:
                if fits(self._data[number]):
                    self.found.append(number)
            except (VLError, OSError):
                self.n_unreadable += 1
            self._next = number + 1


def search(browsed: Browsed) -> Search | None:
    """The visitor's search for what is chosen by; None where no item has to be read for that.

    It is begun when it is first asked for, and ends when another one is wanted.
    """
    key = _key(browsed)
    now: Search | None = st.session_state.get("set_search")
    if now is not None and now.key == key:
        now.look()
        if now.job.was_stopped:
            now.job.start()
        return now
    if now is not None:
        now.job.stop(STOPPED)
    if not any(key[1:]):
        st.session_state.pop("set_search", None)
        return None
    begun = st.session_state["set_search"] = Search(key, sets.opened(browsed.name))
    begun.job.thread.join(AT_ONCE)
    return begun


def _key(browsed: Browsed) -> _Key:
    """The set and what items must be read for."""
    wanted = browsed.wanted
    outcome = wanted.outcome if sets.holds_traces(browsed.name) else "any"
    text = " ".join(wanted.text.casefold().split())
    return browsed.name, text, wanted.category, "" if outcome == "any" else outcome


def _fitting(key: _Key) -> Callable[[Item], bool]:
    _, text, category, outcome = key
    words = text.split()
    was_right = {"right": True, "wrong": False, "unknown": None}

    def fits(item: Item) -> bool:
        if category and item.category != category:
            return False
        if outcome and item.was_right is not was_right[outcome]:
            return False
        said = searched_text(item) if words else ""
        return all(word in said for word in words)

    return fits


def searched_text(item: Item) -> str:
    """All that is searched of an item, in lower case: questions, candidates or titles, answer."""
    titles = (option.title for asked in item.asked for option in asked.options)
    texts = (asked.text for asked in item.asked)
    return " ".join([item.text, *texts, *titles, item.answer or ""]).casefold()

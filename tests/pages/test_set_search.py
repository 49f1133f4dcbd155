"""Items are found by their words, at once in small sets and in the background in large ones."""

import threading
from dataclasses import replace

import pytest
import streamlit as st

from pages.shared.data_sets import set_search, sets
from pages.shared.data_sets.browsing import Browsed, Filter
from tests.pages.set_visits import Listed, choosing, plain

PATIENCE = 20  # seconds: only a search that hangs takes them


@pytest.fixture
def search(monkeypatch):
    """Searches a set in memory for a visitor; the state of the visit stays within a test."""
    monkeypatch.setattr(st, "session_state", {})
    opened = {}
    monkeypatch.setattr(sets, "opened", opened.__getitem__)

    def run(data, text="", **wanted):
        opened[data.name] = data
        return set_search.search(Browsed(data.name, wanted=Filter(text, **wanted)))

    return run


def found(search):
    """What it found in the end."""
    search.job.thread.join(PATIENCE)
    assert search.job.is_done
    assert search.job.problem is None
    return search.found


class Slow(Listed):
    """A set whose items from the 40th on are read when they may be."""

    gate, reached = threading.Event(), threading.Event()

    def __getitem__(self, number):
        if number >= 40:
            self.reached.set()
            assert self.gate.wait(PATIENCE)
        return super().__getitem__(number)


@pytest.fixture
def slow(monkeypatch):
    """A hundred items, every tenth about a dog."""
    monkeypatch.setattr(set_search, "AT_ONCE", 0)
    Slow.gate.clear()
    Slow.reached.clear()
    yield Slow(tuple(plain("a dog" if n % 10 == 0 else "a cat") for n in range(100)))
    Slow.gate.set()


def test_words_are_sought_in_question_candidates_and_answer(search):
    """All of them must stand in an item, anywhere, in upper or lower case."""
    data = Listed(
        (
            choosing("Where is the DOG?", "at home", "in Paris"),
            plain("where is it?", answer="the dog is in paris"),
            plain("a dog", category="in paris"),
            choosing("who barks?", "nobody", "a dog from Paris"),
        )
    )

    assert found(search(data, " dog  PARIS ")) == [0, 1, 3]
    assert found(search(data, "dogs")) == []


def test_a_category_is_the_whole_category(search):
    """With or without words."""
    data = Listed(
        tuple(plain("ab"[n % 2], category=kind) for n, kind in enumerate(["x", "x", "xy", "x"]))
    )

    assert found(search(data, category="x")) == [0, 1, 3]
    assert found(search(data, "b", category="x")) == [1, 3]


def test_whether_its_own_model_was_right_is_read_off_the_items(search, monkeypatch):
    """Of a set that holds what a model did; of others the scores tell it, and nothing is read."""
    data = Listed(tuple(plain("a", was_right=one) for one in (True, None, False, True)))
    assert search(data, outcome="right") is None

    monkeypatch.setattr(sets, "holds_traces", lambda _: True)
    assert [found(search(data, outcome=one)) for one in ("right", "wrong", "unknown")] == [
        [0, 3],
        [2],
        [1],
    ]


def test_nothing_is_read_where_nothing_is_sought(search):
    """All items are listed then."""
    assert search(Listed((None, None)), "  ") is None


def test_items_that_cannot_be_read_are_counted(search):
    """And not found."""
    done = search(Listed((plain("a dog"), None, plain("a dog"), None)), "dog")

    assert found(done) == [0, 2]
    assert done.n_unreadable == 2


def test_a_long_search_shows_what_it_has_found_and_how_far_it_is(search, slow):
    """The page does not wait for its end."""
    begun = search(slow, "dog")
    assert Slow.reached.wait(PATIENCE)

    assert not begun.job.is_done
    assert begun.found == [0, 10, 20, 30]
    assert (begun.job.share, begun.job.sentence) == (0.4, "Searched 40 of 100 items")
    assert search(slow, "dog") is begun

    Slow.gate.set()
    assert found(begun) == list(range(0, 100, 10))


def test_another_search_ends_the_one_before(search, slow):
    """Nobody waits for it any longer."""
    first = search(slow, "dog")
    assert Slow.reached.wait(PATIENCE)
    second = search(slow, "cat")
    Slow.gate.set()

    first.job.thread.join(PATIENCE)
    assert first.job.was_stopped
    assert max(first.found) < 60
    assert len(found(second)) == 90


def test_a_search_that_nobody_looks_at_ends_and_goes_on_where_it_was(search, slow, monkeypatch):
    """Who comes back finds no item twice and misses none."""
    begun = search(slow, "dog")
    assert Slow.reached.wait(PATIENCE)
    monkeypatch.setattr(set_search, "PATIENCE", -1)
    Slow.gate.set()
    begun.job.thread.join(PATIENCE)
    assert begun.job.was_stopped
    assert len(begun.found) < 10

    monkeypatch.setattr(set_search, "PATIENCE", 60)
    assert search(slow, "dog") is begun
    assert found(begun) == list(range(0, 100, 10))


def test_the_same_words_in_another_set_are_another_search(search):
    """What was found counts in one set only."""
    one = Listed((plain("a dog"),))

    assert found(search(one, "dog")) == [0]
    assert found(search(replace(one, name="other", items=(plain("x"), *one.items)), "dog")) == [1]

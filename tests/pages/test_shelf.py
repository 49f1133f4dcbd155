"""Loaded models leave when another wants their room: the longest unused first, none for nothing."""

import threading
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from pages.shared.shelf import Shelf, leaving
from vl_core.checkpoints import Demand

SIZES = st.integers(1, 40)
HELD = st.lists(SIZES, max_size=5).map(lambda sizes: {f"model {i}": s for i, s in enumerate(sizes)})
LIMITS = st.none() | st.integers(0, 120)


def model(n_bytes):
    """Something as large as a model."""
    return SimpleNamespace(n_bytes=n_bytes)


def demand(weights, free):
    """What a model of these weights takes, a fifth more for running."""
    return Demand(weights, weights * 6 // 5, free)


def has_room(left, wanted, limit, freed):
    """Whether the weights stay within the limit and running fits into what is free."""
    return sum(left) + wanted.weights <= limit and wanted.needed <= wanted.free + freed


@given(HELD, SIZES, st.integers(0, 100), LIMITS)
def test_as_few_leave_as_make_room_and_those_unused_longest(held, weights, free, limit):
    """The first of the list leave, until there is room or nobody is left; not one too many."""
    wanted, names = demand(weights, free), list(held)
    gone = leaving(held, wanted, limit)
    most = (free + sum(held.values())) / 2 if limit is None else limit

    assert gone == names[: len(gone)]
    if wanted.needed > free + sum(held.values()):
        assert gone == []
        return
    after = [held[name] for name in names[len(gone) :]]
    freed = sum(held[name] for name in gone)
    assert not after or has_room(after, wanted, most, freed)
    assert wanted.needed <= free + freed
    if gone:
        last = held[gone[-1]]
        assert not has_room([last, *after], wanted, most, freed - last)


def test_none_leaves_for_one_that_would_not_fit_without_them():
    """Eleven of ten: all stay where they are."""
    assert leaving({"a": 4, "b": 4}, demand(10, 3), None) == []


def test_a_model_larger_than_half_of_the_memory_may_come_alone():
    """By default the limit is half of what is free without models; alone, a large one may pass."""
    assert leaving({"a": 2, "b": 2}, demand(10, 12), None) == ["a", "b"]


def test_where_the_system_says_nothing_the_limit_alone_decides():
    """Without a limit nobody leaves."""
    held = {"a": 4, "b": 4}

    assert leaving(held, Demand(10, 12, None), None) == []
    assert leaving(held, Demand(10, 12, None), 14) == ["a"]


def test_use_keeps_a_model():
    """The one that was looked at last stays."""
    shelf, first, second = Shelf(), model(4), model(4)
    shelf.put("first", first)
    shelf.put("second", second)
    assert shelf.peek("first") is first

    assert shelf.make_room(demand(4, 100), 8) == [second]
    assert (shelf.peek("second"), shelf.names()) == (None, ["first"])


def test_many_visitors_at_once_leave_it_whole():
    """Whatever order threads come in, what is held is within the limit when all are done."""
    shelf, limit, gone = Shelf(), 50, []

    def visit(number):
        for step in range(50):
            if step % 5 == 0:
                gone.extend(shelf.make_room(demand(7, 1000), limit - 7))
                shelf.put(f"{number} {step}", model(7))
            shelf.peek(f"{(number + 1) % 4} {step - step % 5}")

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gone += shelf.make_room(demand(7, 1000), limit)

    held = [shelf.peek(name) for name in shelf.names()]
    assert sum(one.n_bytes for one in held) + 7 <= limit
    assert len({id(one) for one in [*held, *gone]}) == len(held) + len(gone) == 4 * 10

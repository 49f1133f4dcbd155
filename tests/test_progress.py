"""What is counted is told a few times a second at most, and nothing of what is short."""

import pytest

from vl_core import progress
from vl_core.progress import EVERY, Counting


@pytest.fixture
def clock(monkeypatch):
    """A time that stands still until it is set."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_a_number_is_told_when_it_is_due(clock):
    """Each time by the number that it has come to, not by those that were passed over."""
    told = []
    count = Counting(told.append, "layer {} of 28")
    for number, seconds in enumerate([0.0, 0.2, 0.3, 0.31, 0.54, 0.56, 5.0, 5.1], start=1):
        clock.now = 100.0 + seconds
        count(number)

    assert EVERY == 0.25
    assert told == ["layer 3 of 28", "layer 6 of 28", "layer 7 of 28"]


def test_what_is_short_says_nothing(clock):
    """However much is counted in it."""
    told = []
    count = Counting(told.append, "{}")
    clock.now += 0.9 * EVERY
    for number in range(1000):
        count(number)

    assert told == []

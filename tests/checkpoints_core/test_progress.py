"""How far a download has come."""

from threading import Event

import pytest

from vl_core.checkpoints import progress
from vl_core.checkpoints.progress import Counter, told


def test_the_bar_that_is_furthest_counts():
    """Bytes over the network and bytes written are the same bytes; files are no bytes."""
    counter = Counter()
    bars = counter.bars()
    network, written, files = bars(unit="B", total=9), bars(unit="B", initial=3), bars(total=4)
    network.update(5)
    written.update(4)
    files.update(99)

    assert counter.done == 7


def test_an_unknown_total_has_no_share(monkeypatch):
    """Nothing is divided by nothing, and never more than all is told."""
    monkeypatch.setattr(progress, "_EVERY", 0.001)
    shares = {}
    for total in (0, 4):
        counter, go = Counter(), Event()
        counter.bars()(unit="B").update(5)
        shares[total] = []

        def tell(_, share, total=total, go=go):
            shares[total].append(share)
            go.set()

        assert told(lambda go=go: go.wait(5), "it", total, counter, tell)

    assert set(shares[0]) == {None}
    assert set(shares[4]) == {1.0}


def test_what_the_work_raises_is_raised_here():
    """As if it had been done in this thread."""

    def work():
        raise OSError("lost")

    with pytest.raises(OSError, match="lost"):
        told(work, "it", 1, Counter(), lambda *_: None)


def test_who_stops_listening_is_not_held_up(monkeypatch):
    """A page that is left ends its wait at once; the work goes on."""
    monkeypatch.setattr(progress, "_EVERY", 0.001)
    go, finished = Event(), Event()

    def work():
        go.wait(5)
        finished.set()

    def tell(*_):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        told(work, "it", 1, Counter(), tell)
    assert not finished.is_set()
    go.set()
    assert finished.wait(5)

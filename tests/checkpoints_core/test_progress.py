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


def test_who_stops_listening_is_not_held_up_and_the_work_stops(monkeypatch):
    """A page that is left ends its wait at once; the next chunk that arrives is the last."""
    monkeypatch.setattr(progress, "_EVERY", 0.001)
    begun, go, stopped = Event(), Event(), Event()
    counter, arrived = Counter(), []

    def work():
        bar = counter.bars()(unit="B")
        bar.update(5)
        arrived.append(5)
        begun.set()
        go.wait(5)
        try:
            bar.update(7)
            arrived.append(7)
        finally:
            stopped.set()

    def tell(*_):
        assert begun.wait(5)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        told(work, "it", 1, counter, tell)
    assert not stopped.is_set()
    go.set()
    assert stopped.wait(5)
    assert (arrived, counter.done) == ([5], 5)


def test_bars_that_count_files_stop_as_well():
    """Else files that have not begun would still be fetched."""
    counter = Counter()
    files = counter.bars()(total=4)
    files.update(1)
    counter.stop()

    with pytest.raises(progress._StoppedError):
        files.update(1)

"""What is remembered: once computed, bounded, never a failure."""

import threading
import time

import pytest

from pages.shared.memo import Memo


def test_a_result_is_computed_once():
    """The second time the first result comes back, without computing."""
    memo, calls = Memo(3), []

    results = [memo.get("key", lambda: calls.append(1) or "result") for _ in range(4)]

    assert results == ["result"] * 4
    assert len(calls) == 1


def test_the_least_recently_used_goes_first():
    """Beyond its size the memo forgets what nobody has asked for longest."""
    memo = Memo(2)
    memo.put("a", 1)
    memo.put("b", 2)
    memo.get("a", lambda: 0)

    memo.put("c", 3)

    assert (memo.peek("a"), memo.peek("b"), memo.peek("c")) == (1, None, 3)


def test_large_results_are_kept_as_far_as_they_fit():
    """Beyond so many bytes the oldest go, but never one of the last two: these are compared."""
    memo = Memo(9, len, 10)
    for key, size in (("a", 3), ("b", 4), ("c", 2), ("d", 5)):
        memo.put(key, "x" * size)
    assert [memo.peek(key) is not None for key in "abcd"] == [False, False, True, True]

    memo.put("e", "x" * 100)
    assert [memo.peek(key) is not None for key in "cde"] == [False, True, True]

    memo.put("f", "x")
    assert [memo.peek(key) is not None for key in "def"] == [False, True, True]


def test_a_failure_is_not_remembered():
    """Whoever asks again after a failure gets a fresh attempt."""
    memo = Memo(2)
    with pytest.raises(ZeroDivisionError):
        memo.get("key", lambda: 1 / 0)

    assert memo.get("key", lambda: "second attempt") == "second attempt"


def test_visitors_who_ask_together_share_one_computation():
    """While one computes, the others wait for that result."""
    memo, calls, results = Memo(2), [], []

    def slow():
        calls.append(1)
        time.sleep(0.05)
        return len(calls)

    threads = [
        threading.Thread(target=lambda: results.append(memo.get("key", slow))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [1] * 5

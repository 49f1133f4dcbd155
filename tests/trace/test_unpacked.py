"""Hidden states that are unpacked one at a time are those of the whole stream."""

import tracemalloc

import numpy as np
import pytest

from tests.builders import random_stream, random_tokens
from vl_core.trace import Stream, TokenTable
from vl_core.trace.unpacked import UnpackedStates


@pytest.fixture
def stream():
    """4 states of 12 tokens, the last state a thousand times as large."""
    tokens = random_tokens()
    states = np.random.default_rng(0).normal(size=(4, len(tokens), 6))
    states[3] *= 1000
    return Stream.of("encoder", tokens, states)


def test_each_state_is_that_of_the_chosen_tokens(stream):
    """In their order, in single precision, however the states are gone through."""
    positions = np.array([7, 2, 11])
    states = UnpackedStates(stream, positions)

    expected = stream.hidden_states[:, positions]
    assert states.shape == expected.shape
    assert len(states) == 4
    np.testing.assert_array_equal(np.stack(list(states)), expected)
    np.testing.assert_array_equal(states[2], expected[2])
    assert states[0].dtype == np.float32


def test_what_is_done_to_an_unpacked_state_changes_no_other(stream):
    """The stream is shared by all visitors."""
    states = UnpackedStates(stream, np.arange(5))

    states[1][:] = 0

    assert states[1].any()


def test_a_stream_without_states_has_none():
    """Zero states of zero width."""
    tokens = random_tokens()
    stream = Stream.of("encoder", tokens, np.zeros((0, len(tokens), 0)))

    states = UnpackedStates(stream, np.arange(3))

    assert states.shape == (0, 3, 0)
    assert list(states) == []


def test_no_more_than_one_state_is_unpacked_at_once():
    """Of 16 states that would take 33 MB together."""
    tokens = TokenTable.of(["a"] * 500, ["text"] * 500)
    stream = random_stream(tokens=tokens, states=16, width=1024)
    states = UnpackedStates(stream, np.arange(500))
    tracemalloc.start()
    try:
        for state in states:
            assert state.shape == (500, 1024)
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()

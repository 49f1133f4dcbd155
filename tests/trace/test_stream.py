"""Streams: hidden states in half the room, without loss that matters and without overflow."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import random_stream, random_tokens
from vl_core.errors import TraceError
from vl_core.trace import Stream, TokenTable
from vl_core.trace.stream import StatesSoFar

TOKENS = random_tokens()


@given(st.floats(-30, 35), st.integers(0, 2**32 - 1))
def test_states_of_any_size_come_back(exponent, seed):
    """From 1e-30 to 1e35, far beyond float16, each value to a two-thousandth of itself."""
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(3, len(TOKENS), 7)) * 10.0**exponent

    found = Stream.of("encoder", TOKENS, states).hidden_states

    # Values far below the largest may lose digits, but never more than this.
    np.testing.assert_allclose(found, states, rtol=2**-11, atol=abs(states).max() * 1e-9)


def test_one_massive_value_leaves_the_others_their_digits():
    """Real models have single activations thousands of times the rest; those used to overflow."""
    states = np.random.default_rng(0).normal(size=(2, len(TOKENS), 5))
    states[1, 3, 2] = 1e6

    found = Stream.of("encoder", TOKENS, states).hidden_states

    np.testing.assert_allclose(found, states, rtol=1e-3, atol=1e-3)


def test_what_a_float16_model_computed_comes_back_to_the_bit():
    """The scales are powers of two, so packing changes no digit."""
    states = np.random.default_rng(0).normal(size=(3, len(TOKENS), 5)).astype(np.float16)

    found = Stream.of("encoder", TOKENS, states.astype(np.float32)).hidden_states

    np.testing.assert_array_equal(found, states)


@pytest.mark.parametrize("states", [0, 2])
def test_zero_and_absent_states_are_kept(states):
    """All zeros stay zeros; a stream without states has none."""
    stream = Stream.of("encoder", TOKENS, np.zeros((states, len(TOKENS), 3)))

    assert stream.hidden_states.shape == (states, len(TOKENS), 3)
    assert (stream.hidden_states == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_states_that_are_not_finite_are_refused(value):
    """A nan would spread over a whole projection."""
    states = np.zeros((2, len(TOKENS), 3))
    states[1, 2, 0] = value
    with pytest.raises(TraceError, match="stream encoder: hidden states that are not finite"):
        Stream.of("encoder", TOKENS, states)


def test_states_must_be_those_of_the_tokens():
    """The message gives tokens and states that came and that were wanted."""
    with pytest.raises(
        TraceError, match="hidden states of 5 tokens in 4 states, wanted 12 tokens in 4"
    ):
        Stream.of("encoder", TOKENS, np.zeros((4, 5, 3)))


def test_states_are_read_only():
    """All visitors share one stream, so nobody may write into it."""
    stream = random_stream()
    for array in (stream.packed_states, stream.scales):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("scale", [0, -2])
def test_scales_are_positive(scale):
    """A scale of zero would wipe a state out, a negative one would mirror it."""
    stream = random_stream()
    scales = stream.scales.copy()
    scales[1] = scale
    with pytest.raises(TraceError, match=f"stream encoder: hidden states scaled by {scale}"):
        replace(stream, scales=scales)


def test_states_are_packed_one_by_one():
    """Of 16 states that take 16 MB together, and twice that in single precision."""
    tokens = TokenTable.of(["a"] * 500, ["text"] * 500)
    states = StatesSoFar(16)
    tracemalloc.start()
    try:
        for seed in range(16):
            values = np.random.default_rng(seed).random((500, 1024), np.float32)
            states.add(values)
        stream = states.stream("encoder", tokens)
        assert tracemalloc.get_traced_memory()[1] < 16.4e6 + 8e6
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(stream.hidden_states[15], values, rtol=1e-3)


def test_states_are_unpacked_without_a_copy_on_the_way():
    """32 MB of float32 take 33 MB, and not twice as much."""
    tokens = TokenTable.of(["a"] * 500, ["text"] * 500)
    stream = random_stream(tokens=tokens, states=16, width=1024)
    tracemalloc.start()
    try:
        found = stream.hidden_states
        assert tracemalloc.get_traced_memory()[1] < 34e6
    finally:
        tracemalloc.stop()
    assert found.dtype == np.float32


def test_states_beyond_the_last_are_counted():
    """So that it can be said how many came."""
    states = StatesSoFar(2)
    for value in range(3):
        states.add(np.full((4, 3), value, np.float32))

    assert states.heard == 3
    assert states.packed.shape == (2, 4, 3)

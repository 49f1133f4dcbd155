"""Streams: hidden states in half the room, without loss that matters and without overflow."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import random_stream, random_tokens
from vl_core.errors import TraceError
from vl_core.trace import Stream

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

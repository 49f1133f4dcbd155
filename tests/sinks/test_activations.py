"""Massive dimensions and large norms, against plain loops."""

import numpy as np
import pytest

from tests.builders import random_stream, random_tokens
from vl_core.sinks import activations
from vl_core.sinks.activations import massiveness, norms, peaks
from vl_core.trace import Stream

STATES = [0, 2, 3]


@pytest.fixture
def stream():
    """4 states of 12 tokens in 17 dimensions, of a hundred times another scale in each state."""
    plain = random_stream(width=17, seed=3)
    scales = 100.0 ** np.arange(-2, 2)[:, None, None]
    return Stream.of("encoder", plain.tokens, plain.hidden_states * scales)


def over_root_mean_square(values):
    """One token, one dimension at a time."""
    root = (sum(float(value) ** 2 for value in values) / len(values)) ** 0.5
    return [abs(float(value)) / root for value in values]


def test_peaks_are_the_most_over_tokens_and_states(stream):
    """For each dimension, over these tokens and these states only."""
    tokens = np.isin(np.arange(12), [0, 5])
    states = stream.hidden_states
    wanted = np.max([over_root_mean_square(states[s, t]) for s in STATES for t in (0, 5)], axis=0)

    np.testing.assert_allclose(peaks(stream, STATES, tokens), wanted, rtol=1e-5)


@pytest.mark.parametrize("chunk", [activations.CHUNK, 5 * 17])
def test_massiveness_is_that_of_the_greatest_of_the_dimensions(stream, chunk, monkeypatch):
    """For each token and each of these states, also in chunks of a few tokens."""
    monkeypatch.setattr(activations, "CHUNK", chunk)
    states, dimensions = stream.hidden_states, [2, 11]
    wanted = [
        [max(over_root_mean_square(states[s, t])[d] for d in dimensions) for t in range(12)]
        for s in STATES
    ]

    found = massiveness(stream, STATES, np.array(dimensions))

    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("chunk", [activations.CHUNK, 5 * 17])
def test_norms_are_in_units_of_the_median_patch(stream, chunk, monkeypatch):
    """State by state."""
    monkeypatch.setattr(activations, "CHUNK", chunk)
    patches, states = stream.tokens.is_image, stream.hidden_states
    lengths = [
        [sum(float(value) ** 2 for value in states[s, t]) ** 0.5 for t in range(12)] for s in STATES
    ]
    middles = [np.median(np.array(row)[patches]) for row in lengths]

    found = norms(stream, STATES, patches)

    np.testing.assert_allclose(found, np.array(lengths) / np.array(middles)[:, None], rtol=1e-5)


def test_one_value_alone_is_the_root_of_the_width():
    """A token with a single dimension that is not zero, and a token of zeros."""
    tokens = random_tokens()
    states = np.ones((1, 12, 16))
    states[0, 3] = -7.0 * np.eye(16)[9]
    states[0, 4] = 0
    stream = Stream.of("encoder", tokens, states)

    found = massiveness(stream, [0], np.array([9]))

    assert found[0, 3] == pytest.approx(4)
    assert found[0, 4] == 0
    assert found[0, 5] == pytest.approx(1)


def test_norms_over_nothing_are_missing():
    """Where the median patch is zero."""
    tokens = random_tokens()
    states = np.zeros((2, 12, 6))
    states[1] = 1

    found = norms(Stream.of("encoder", tokens, states), [0, 1], tokens.is_image)

    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1], 1)

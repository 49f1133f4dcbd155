"""States seen from their mean, against the definitions word by word."""

import numpy as np
import pytest

from vl_core.centring import centred, directions, lengths


@pytest.fixture
def state():
    """Seven tokens with a large common part."""
    return (np.random.default_rng(0).normal(size=(7, 5)) + 40).astype(np.float32)


def test_the_mean_is_taken_away(state):
    """Axis by axis; the state itself stays as it was."""
    before = state.copy()
    mean = [sum(float(token[axis]) for token in state) / 7 for axis in range(5)]

    np.testing.assert_allclose(centred(state), before - mean, atol=1e-5)
    np.testing.assert_array_equal(state, before)


def test_lengths_and_directions_are_those_of_what_is_left(state):
    """A direction has length one, and times the length it is the centred vector."""
    left = centred(state)
    expected = [sum(float(part) ** 2 for part in token) ** 0.5 for token in left]

    np.testing.assert_allclose(lengths(state, left), expected, rtol=1e-5)
    np.testing.assert_allclose(directions(state) * np.array(expected)[:, None], left, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_a_constant_state_has_neither(value):
    """Exactly nothing is left of it, whatever rounding does."""
    state = np.full((50, 3), value, np.float32)

    assert not centred(state).any()
    assert not directions(state).any()


def test_a_token_in_the_mean_has_no_direction():
    """Rounding may keep it away by a trifle, which points nowhere."""
    state = np.array([[1000.1, 0.3], [999.9, -0.3], [1000.0, 0.0]], np.float32)

    found = directions(state)

    assert not found[2].any()
    np.testing.assert_allclose(np.linalg.norm(found[:2], axis=1), 1, rtol=1e-6)

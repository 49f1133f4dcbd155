"""Attention on the wire: small bytes, small errors, and no error where nothing is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vl_core import wire

ERROR = 0.004  # of the row's largest weight


def rows(rng, keys, spread):
    """Rows as softmax makes them, scores with this standard deviation; 3 heads x 5 queries."""
    scores = rng.normal(scale=spread, size=(3, 5, keys))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40),
    st.sampled_from([1.0, 1e-6, 1e-30]),
)
def test_no_weight_is_off_by_more_than_the_bound(values, scale):
    """Whatever the row: a step of 1/255 in the root is at most 0.4 % of the maximum."""
    weights = (np.array(values, np.float32) * np.float32(scale)).reshape(1, 1, -1)

    found = wire.decode(*wire.encode(weights))

    assert (abs(found - weights) <= ERROR * weights.max() + 1e-44).all()


def test_no_weight_in_the_whole_range_is_off_by_more_than_the_bound():
    """A fine sweep from nothing to the maximum, worst places between two codes included."""
    weights = np.linspace(0, 1, 1_000_001, dtype=np.float32).reshape(1, 1, -1)

    found = wire.decode(*wire.encode(weights))

    assert abs(found - weights).max() <= ERROR
    assert abs(found - weights).max() > 0.9 * ERROR  # the bound is not far above the truth


@pytest.mark.parametrize("keys", [2, 17, 240, 2000])
@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0, 3.0, 10.0])
def test_rows_keep_their_sums(keys, spread):
    """From even rows to peaked ones, shares in numbers stay within half a percent."""
    weights = rows(np.random.default_rng(0), keys, spread)

    found = wire.decode(*wire.encode(weights))

    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=0.005)


def test_the_largest_weight_is_exact_and_the_order_stays():
    """What is brighter on screen is never the smaller weight."""
    weights = rows(np.random.default_rng(1), 240, 2.0)

    codes, maxima = wire.encode(weights)

    np.testing.assert_array_equal(maxima, weights.max(axis=-1))
    np.testing.assert_array_equal(codes.max(axis=-1), 255)
    order = np.argsort(weights, axis=-1)
    assert (np.diff(np.take_along_axis(codes, order, -1).astype(int), axis=-1) >= 0).all()


def test_axes_and_types_are_those_of_the_browser():
    """One byte for each head, query and key; one float32 for each head and query."""
    codes, maxima = wire.encode(rows(np.random.default_rng(0), 7, 1.0))

    assert (codes.shape, codes.dtype) == ((3, 5, 7), np.uint8)
    assert (maxima.shape, maxima.dtype) == ((3, 5), np.float32)
    assert codes.flags.c_contiguous
    assert maxima.flags.c_contiguous


def test_rows_of_zeros_stay_zero():
    """A query that may look at nothing, among others, and a layer without keys."""
    weights = rows(np.random.default_rng(0), 7, 1.0)
    weights[1, 2] = 0

    found = wire.decode(*wire.encode(weights))

    assert (found[1, 2] == 0).all()
    assert (found[1, 3] > 0).any()
    assert wire.decode(*wire.encode(np.zeros((2, 3, 0), np.float32))).shape == (2, 3, 0)

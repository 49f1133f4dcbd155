"""Attention on the wire: small bytes, small errors, and no error where nothing is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vl_core import wire

ERROR = 1.6e-5  # of the row's largest weight
TIE = 2 * ERROR  # two weights this near may share a code


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
    """Whatever the row: half a step of the root is at most 0.0016 % of the maximum."""
    weights = (np.array(values, np.float32) * np.float32(scale)).reshape(1, 1, -1)

    found = wire.decode(*wire.encode(weights))

    assert (abs(found - weights) <= ERROR * weights.max() + 1e-44).all()


def test_no_weight_in_the_whole_range_is_off_by_more_than_the_bound():
    """A fine sweep from nothing to the maximum, worst places between two codes included."""
    weights = np.linspace(0, 1, 1_000_001, dtype=np.float32).reshape(1, 1, -1)

    found = wire.decode(*wire.encode(weights))

    assert abs(found - weights).max() <= ERROR
    assert abs(found - weights).max() > 0.8 * ERROR  # the bound is not far above the truth


@pytest.mark.parametrize("keys", [2, 17, 240, 2000])
@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0, 3.0, 10.0])
def test_rows_keep_their_sums(keys, spread):
    """From even rows to peaked ones, shares are right to more than is printed of them."""
    weights = rows(np.random.default_rng(0), keys, spread)

    found = wire.decode(*wire.encode(weights))

    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)


def test_the_largest_weight_is_exact_and_the_order_stays():
    """What is brighter on screen is never the smaller weight."""
    weights = rows(np.random.default_rng(1), 240, 2.0)

    codes, maxima = wire.encode(weights)

    np.testing.assert_array_equal(maxima, weights.max(axis=-1))
    np.testing.assert_array_equal(codes.max(axis=-1), 65535)
    order = np.argsort(weights, axis=-1)
    assert (np.diff(np.take_along_axis(codes, order, -1).astype(int), axis=-1) >= 0).all()


def test_axes_and_types_are_those_of_the_browser():
    """Two bytes for each head, query and key; one float32 for each head and query."""
    codes, maxima = wire.encode(rows(np.random.default_rng(0), 7, 1.0))

    assert (codes.shape, codes.dtype) == ((3, 5, 7), np.uint16)
    assert (maxima.shape, maxima.dtype) == ((3, 5), np.float32)
    assert codes.flags.c_contiguous
    assert maxima.flags.c_contiguous


@pytest.mark.parametrize("keys", [17, 240])
@pytest.mark.parametrize("spread", [0.0, 0.01, 0.3, 3.0, 10.0])
def test_the_strongest_of_any_keys_is_the_right_one(keys, spread):
    """Among patches, which are rarely a row's largest weights: flat rows and peaked ones."""
    weights = rows(np.random.default_rng(2), keys, spread)
    found = wire.decode(*wire.encode(weights))

    for patches in (slice(3, None), slice(keys // 2, None), slice(1, None, 3)):
        given, decoded = weights[..., patches], found[..., patches]
        named = np.take_along_axis(given, decoded.argmax(-1)[..., None], -1)[..., 0]
        assert (given.max(axis=-1) - named <= TIE * weights.max(axis=-1)).all()
        second, first = np.moveaxis(np.sort(given, axis=-1)[..., -2:], -1, 0)
        is_clear = first - second > TIE * weights.max(axis=-1)
        assert is_clear.any() or spread == 0.0
        same = decoded.argmax(axis=-1) == given.argmax(axis=-1)
        assert same[is_clear].all()


def test_what_is_not_zero_never_becomes_zero():
    """However small a weight is against its row's largest, it is told from no weight at all."""
    weights = np.array([[[1, 1e-12, 1e-30, 0]]], np.float32)

    codes, _ = wire.encode(weights)

    assert codes.tolist() == [[[65535, 1, 1, 0]]]


def test_packed_bytes_are_maxima_then_codes():
    """Read back as the browser reads them, for a count of codes that four does not divide."""
    weights = rows(np.random.default_rng(3), 7, 1.0)
    codes, maxima = wire.encode(weights)

    content = wire.packed(weights)

    assert len(content) == 4 * 15 + 2 * 105
    np.testing.assert_array_equal(np.frombuffer(content, "<f4", 15), maxima.ravel())
    np.testing.assert_array_equal(np.frombuffer(content, "<u2", offset=60), codes.ravel())


def test_rows_of_zeros_stay_zero():
    """A query that may look at nothing, among others, and a layer without keys."""
    weights = rows(np.random.default_rng(0), 7, 1.0)
    weights[1, 2] = 0

    found = wire.decode(*wire.encode(weights))

    assert (found[1, 2] == 0).all()
    assert (found[1, 3] > 0).any()
    assert wire.decode(*wire.encode(np.zeros((2, 3, 0), np.float32))).shape == (2, 3, 0)

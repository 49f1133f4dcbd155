"""A matrix of attention with few enough cells, against plain means."""

import tracemalloc

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens
from tests.decoders import decoder_trace
from tests.test_token_attention import plain_weights
from vl_core import token_attention
from vl_core.attention_matrix import matrix


def plain_bins(weights, width, height):
    """Means of blocks of cells, the last ones smaller."""
    rows = [weights[start : start + height] for start in range(0, len(weights), height)]
    return [
        [row[:, start : start + width].mean() for start in range(0, weights.shape[1], width)]
        for row in rows
    ]


@pytest.mark.parametrize(("layer", "head"), [(2, 4), (0, None), (None, 1), (None, None)])
def test_a_small_matrix_is_that_of_the_weights(layer, head):
    """One cell for each query and key that were asked for, in their order."""
    stack = random_stack(3)
    queries, keys = np.array([1, 2, 4]), np.array([6, 7, 8, 9, 11])

    found = matrix(stack, layer, head, queries, keys)

    wanted = plain_weights(stack, layer, head)[np.ix_(queries, keys)]
    np.testing.assert_allclose(found.values, wanted, atol=1e-6)
    assert not found.is_binned


@pytest.mark.parametrize("most", [3, 50])
def test_a_word_of_the_answer_has_the_row_that_predicts_it_if_that_is_asked_for(most):
    """The position before it; words that were given keep their own, and columns are as they are."""
    stack = decoder_trace().stacks["language"]
    words = np.flatnonzero(stack.queries.is_text)
    keys = np.flatnonzero(stack.keys.is_image)

    found = matrix(stack, 1, 3, words, keys, most, position="predicts")

    rows = [word - 1 if stack.queries.is_generated[word] else word for word in words]
    assert rows != words.tolist()
    weights = plain_weights(stack, 1, 3)[np.ix_(rows, keys)]
    wanted = plain_bins(weights, found.column_bin, found.row_bin)
    np.testing.assert_allclose(found.values, wanted, atol=1e-6)
    np.testing.assert_array_equal(found.queries, words)
    own = matrix(stack, 1, 3, words, keys, most)
    assert not np.allclose(own.values, found.values)


@pytest.mark.parametrize("most", [1, 2, 4, 7, 15])
@pytest.mark.parametrize("chunk", [200, token_attention.CHUNK])
def test_a_long_axis_is_binned_by_means(monkeypatch, most, chunk):
    """No axis has more cells than allowed; bins across portions of rows are whole."""
    monkeypatch.setattr(token_attention, "CHUNK", chunk)
    trace = decoder_trace()
    stack = trace.stacks["language<-vision"]
    queries, keys = np.arange(len(stack.queries)), np.flatnonzero(stack.keys.is_image)

    found = matrix(stack, 1, 3, queries, keys, most)

    assert max(found.values.shape) <= most
    weights = plain_weights(stack, 1, 3)[np.ix_(queries, keys)]
    wanted = plain_bins(weights, found.column_bin, found.row_bin)
    np.testing.assert_allclose(found.values, wanted, atol=1e-6)


def test_a_matrix_of_thousands_of_tokens_takes_little_room(monkeypatch):
    """4,000 x 4,000 weights are 64 MB; their bins are formed in a fraction of it."""
    monkeypatch.setattr(token_attention, "CHUNK", 2**20)
    stack = random_stack(
        layers=1, heads=2, kept="queries_keys", queries=random_tokens(2, 1, 3996), key_heads=1
    )
    everyone = np.arange(4000)
    tracemalloc.start()
    try:
        found = matrix(stack, 0, 1, everyone, everyone)
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()
    assert found.values.shape == (572, 572)
    assert (found.row_bin, found.column_bin) == (7, 7)


def test_a_matrix_of_nothing_is_empty():
    """A stream without words has no row for them."""
    stack = random_stack(queries=random_tokens(0, 2, 3))

    assert matrix(stack, 0, 0, np.array([], int), np.arange(3)).values.shape == (0, 3)

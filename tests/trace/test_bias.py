"""A bias of distances says what a table of all pairs would."""

import numpy as np
import pytest

from vl_core.errors import TraceError
from vl_core.trace import DistanceBias, KeptQueriesKeys

HEADS, QUERIES, KEYS, DIM = 6, 4, 5, 3
EVERYTHING = slice(None)


def values(rows=HEADS, seed=0):
    """Any number for each head and distance."""
    rng = np.random.default_rng(seed)
    return rng.normal(scale=3, size=(rows, QUERIES + KEYS - 1)).astype(np.float32)


def table(numbers):
    """The same pair by pair: the first key is KEYS - 1 distances before the last query's own."""
    return np.array(
        [
            [[row[key - query + QUERIES - 1] for key in range(KEYS)] for query in range(QUERIES)]
            for row in numbers
        ]
    )


def kept(bias):
    """Random queries and keys, two heads on one set of keys, with this bias."""
    rng = np.random.default_rng(1)
    asked = rng.normal(size=(HEADS, QUERIES, DIM)).astype(np.float16)
    offered = rng.normal(size=(HEADS // 2, KEYS, DIM)).astype(np.float16)
    return KeptQueriesKeys(asked, offered, 0.7, bias=bias)


@pytest.mark.parametrize("rows", [HEADS, 1])
def test_rows_are_those_of_the_table(rows):
    """For each head, or one row for all."""
    numbers = values(rows)
    bias = DistanceBias.of(numbers, QUERIES)

    found = bias.rows(np.array([2, 0]), slice(1, 4, 2))

    wanted = table(numbers)[[2, 0] if rows > 1 else [0]][:, 1:4:2]
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(bias.of_head(2), numbers[2 if rows > 1 else 0])


@pytest.mark.parametrize("rows", [HEADS, 1])
def test_weights_are_the_softmax_of_scores_and_bias(rows):
    """Against the formula, head by head."""
    numbers = values(rows)
    block = kept(DistanceBias.of(numbers, QUERIES))

    weights = block.rows(slice(1, 6, 2), EVERYTHING)

    for place, head in enumerate(range(1, 6, 2)):
        scores = block.queries[head].astype(float) @ block.keys[head // 2].astype(float).T * 0.7
        scores += table(numbers)[head if rows > 1 else 0]
        wanted = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(weights[place], wanted, atol=1e-6)


def test_chosen_queries_and_keys_keep_their_distances():
    """Leaving tokens out moves none of the others nearer."""
    bias = DistanceBias.of(values(), QUERIES)
    rows, columns = np.array([0, 3]), np.array([1, 2, 4])

    found = bias.chosen(rows, columns)

    wanted = table(values())[:, rows][:, :, columns]
    np.testing.assert_array_equal(found.rows(np.arange(HEADS), EVERYTHING), wanted)


def test_no_tokens_have_no_distances():
    """Where nothing is chosen, there is nothing to add."""
    found = DistanceBias.of(values(), QUERIES).chosen(np.zeros(0, int), np.arange(KEYS))

    assert found.rows(np.arange(HEADS), EVERYTHING).shape == (HEADS, 0, KEYS)


@pytest.mark.parametrize(
    ("keys", "said"),
    [(np.arange(KEYS), "from -3 to 4"), (np.arange(KEYS) + 4, "8 distances, wanted .* 1 to 8")],
)
def test_distances_without_a_number_are_refused(keys, said):
    """Numpy would take those below zero from the end."""
    with pytest.raises(TraceError, match=said):
        DistanceBias(values(), np.arange(QUERIES), keys)


def test_a_bias_that_is_not_finite_is_refused():
    """A nan would make every weight one."""
    numbers = values()
    numbers[2, 3] = np.nan
    with pytest.raises(TraceError, match="not finite"):
        DistanceBias.of(numbers, QUERIES)


@pytest.mark.parametrize(
    "bias",
    [
        DistanceBias.of(values(HEADS - 1), QUERIES),
        DistanceBias.of(values(), QUERIES + 1),
        DistanceBias.of(values(), QUERIES).chosen(np.arange(QUERIES), np.arange(KEYS - 1)),
    ],
)
def test_a_bias_of_another_size_is_refused(bias):
    """Heads, queries and keys are those of the attention."""
    with pytest.raises(TraceError, match="for attention of 6 heads x 4 queries x 5 keys"):
        kept(bias)


def test_a_bias_is_read_only():
    """All layers and all visitors share it."""
    bias = DistanceBias.of(values(), QUERIES)
    for array in (bias.values, bias.queries, bias.keys):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1

"""Blocks: the weights that follow from queries and keys are those of a plain softmax."""

from dataclasses import replace

import numpy as np
import pytest

from vl_core.errors import TraceError
from vl_core.trace import Block, KeptQueriesKeys, KeptWeights, Mask

HEADS, KEY_HEADS, QUERIES, KEYS, DIM = 6, 3, 4, 5, 7
IS_PADDING = np.array([False, False, False, True, True])


def queries_keys(seed=0, scale=2.0, key_heads=KEY_HEADS, **options):
    """Random queries and keys in which nothing is as long as anything else."""
    rng = np.random.default_rng(seed)
    return KeptQueriesKeys(
        rng.normal(scale=scale, size=(HEADS, QUERIES, DIM)).astype(np.float16),
        rng.normal(scale=scale, size=(key_heads, KEYS, DIM)).astype(np.float16),
        DIM**-0.5,
        **options,
    )


def plain_softmax(kept):
    """Head by head, query by query, key by key, in double precision."""
    weights = np.zeros((HEADS, QUERIES, KEYS))
    group = HEADS // len(kept.keys)
    allowed = kept.mask.rows(slice(None), QUERIES, KEYS)
    for head in range(HEADS):
        for query in range(QUERIES):
            for key in range(KEYS):
                if not allowed[query, key]:
                    continue
                asked = kept.queries[head, query].astype(float)
                score = asked @ kept.keys[head // group, key].astype(float) * kept.scaling
                if kept.softcap is not None:
                    score = kept.softcap * np.tanh(score / kept.softcap)
                weights[head, query, key] = np.exp(score)
            weights[head, query] /= weights[head, query].sum() or 1
    return weights


@pytest.mark.parametrize("key_heads", [1, 3, 6])
@pytest.mark.parametrize("softcap", [None, 1.5])
@pytest.mark.parametrize(
    "mask",
    [
        Mask(),
        Mask("causal"),
        Mask("causal", offset=1),
        Mask("sliding", window=2),
        Mask(is_padding=IS_PADDING),
        Mask("causal", is_padding=IS_PADDING),
    ],
)
def test_weights_from_queries_and_keys_equal_a_plain_softmax(mask, softcap, key_heads):
    """Grouped keys, softcap and masks included."""
    kept = queries_keys(mask=mask, softcap=softcap, key_heads=key_heads)

    weights = kept.rows(slice(None), slice(None))

    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, plain_softmax(kept), atol=1e-6)


def test_any_heads_and_rows_are_those_of_the_whole():
    """A part is what the whole holds at that place."""
    kept = queries_keys(mask=Mask("causal"))
    whole = plain_softmax(kept)
    for heads, rows in ((slice(3, 4), slice(None)), (slice(1, 6, 2), slice(2, 4))):
        np.testing.assert_allclose(kept.rows(heads, rows), whole[heads, rows], atol=1e-6)


def test_large_scores_do_not_overflow():
    """Scores of thousands give all weight to one key, and no nan."""
    weights = queries_keys(scale=100).rows(slice(None), slice(None))

    assert np.isfinite(weights).all()
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6)


def test_a_query_that_may_look_at_nothing_has_a_row_of_zeros():
    """Zero, not nan and not an even spread."""
    allowed = np.ones((QUERIES, KEYS), bool)
    allowed[2] = False

    weights = queries_keys(mask=Mask("explicit", allowed=allowed)).rows(slice(None), slice(None))

    assert (weights[:, 2] == 0).all()
    np.testing.assert_allclose(weights[:, [0, 1, 3]].sum(axis=-1), 1, rtol=1e-6)


def test_kept_weights_come_back_with_rows_that_sum_to_one():
    """What float16 rounding took from a row is given back; a row of zeros stays one."""
    rng = np.random.default_rng(0)
    exact = rng.dirichlet(np.ones(1000), size=(2, 3))
    exact[1, 2] = 0

    weights = KeptWeights(exact.astype(np.float16)).rows(slice(None), slice(None))

    np.testing.assert_allclose(weights, exact, rtol=2e-3, atol=1e-7)
    np.testing.assert_allclose(weights.sum(axis=-1), exact.sum(axis=-1), rtol=1e-5)


def test_heads_that_cannot_share_keys_are_refused():
    """Four key heads do not divide six query heads."""
    with pytest.raises(TraceError, match="6 query heads cannot share 4 key heads"):
        queries_keys(key_heads=4)


def test_queries_and_keys_of_different_width_are_refused():
    """The message gives both widths."""
    with pytest.raises(TraceError, match="queries of 7 dimensions for keys of 8"):
        KeptQueriesKeys(np.zeros((2, 3, 7), np.float16), np.zeros((2, 5, 8), np.float16), 1.0)


def test_a_mask_of_another_size_is_refused():
    """Both forms check their mask when they are made."""
    mask = Mask(is_padding=np.zeros(KEYS + 1, bool))
    with pytest.raises(TraceError, match="padding of 6 keys for 5 keys"):
        queries_keys(mask=mask)
    with pytest.raises(TraceError, match="padding of 6 keys for 5 keys"):
        KeptWeights(np.zeros((HEADS, QUERIES, KEYS), np.float16), mask)


def test_positions_must_fit_the_weights():
    """The message gives both numbers of queries and of keys."""
    with pytest.raises(
        TraceError, match="positions of 5 queries and 4 keys for weights of 4 queries x 5 keys"
    ):
        Block(np.arange(KEYS), np.arange(QUERIES), queries_keys())


def test_what_is_kept_is_read_only():
    """All visitors share one block, so nobody may write into it."""
    block = Block(np.arange(QUERIES), np.arange(KEYS), queries_keys())
    weights = KeptWeights(np.zeros((2, 3, 4), np.float16))
    arrays = (block.query_positions, block.key_positions, block.kept.queries, block.kept.keys)
    for array in (*arrays, weights.values):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("scaling", [np.nan, np.inf])
def test_scores_are_scaled_by_a_finite_number(scaling):
    """A nan would make every weight one."""
    with pytest.raises(TraceError, match=f"scores scaled by {scaling}; a finite number"):
        replace(queries_keys(), scaling=scaling)


@pytest.mark.parametrize("softcap", [0.0, -2.0, np.nan])
def test_a_softcap_is_positive(softcap):
    """Scores are divided by it."""
    with pytest.raises(TraceError, match=f"a softcap of {softcap}; a positive number"):
        replace(queries_keys(), softcap=softcap)


def test_the_callers_positions_stay_as_they_were():
    """A view's base cannot change a block, and making one does not freeze the caller's array."""
    positions = np.arange(QUERIES + 2)
    block = Block(positions[:QUERIES], np.arange(KEYS), queries_keys())
    positions[0] = 3

    assert block.query_positions[0] == 0


def test_a_masked_row_of_kept_weights_is_zero_whatever_was_kept():
    """A query without any allowed key looks at nothing."""
    allowed = np.array([[True, True, False, True], [False] * 4, [True] * 4])
    values = np.full((2, 3, 4), 0.25, np.float16)

    weights = KeptWeights(values, Mask("explicit", allowed=allowed)).rows(slice(None), slice(1, 3))

    assert (weights[:, 0] == 0).all()
    np.testing.assert_allclose(weights[:, 1], 0.25)

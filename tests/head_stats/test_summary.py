"""How heads stand among each other, and the weights of one of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.builders import random_stack, random_tokens
from vl_core.head_stats.summary import head_weights, ranks

NUMBERS = st.sampled_from([np.nan, -1.5, 0.0, 0.25, 0.5, 3.0])  # few, so that heads tie


@given(arrays.arrays(np.float64, (3, 4), elements=NUMBERS))
def test_a_rank_counts_the_heads_above(values):
    """1 for the highest; equal heads share a rank; missing ones have none."""
    expected = [
        [0 if np.isnan(value) else 1 + sum(other > value for other in values.flat) for value in row]
        for row in values
    ]

    assert ranks(values).tolist() == expected


@pytest.mark.parametrize("with_specials", [True, False])
@pytest.mark.parametrize("head", [3, None])
def test_head_weights_leave_out_padding_and_perhaps_specials(head, with_specials):
    """Rows that are left sum to one; without a head it is the mean over the layer's heads."""
    tokens = random_tokens(padding=2)
    stack = random_stack(queries=tokens)
    heads = range(stack.n_heads) if head is None else [head]
    raw = sum(stack.weights[1, one] for one in heads) / len(heads)

    found = head_weights(stack, 1, head, with_specials=with_specials)

    for query in range(len(tokens)):
        is_out = tokens.is_padding[query] or (not with_specials and tokens.is_special[query])
        kept = [k for k in range(len(tokens)) if with_specials or not tokens.is_special[k]]
        left = raw[query, kept].sum()
        for key in range(len(tokens)):
            expected = 0 if is_out or key not in kept else raw[query, key] / left
            assert found[query, key] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("head", [3, None])
def test_head_weights_leave_out_padding_that_the_model_looked_at(head):
    """Padding is no token, whether or not the model's mask says so: rows sum to one without it."""
    tokens = random_tokens(padding=2)
    bare = random_stack(queries=random_tokens(6, 2, 3))
    stack = replace(bare, queries=tokens, keys=tokens)

    found = head_weights(stack, 1, head)

    assert stack.weights[1, 0][:, tokens.is_padding].any()
    assert not found[:, tokens.is_padding].any()
    np.testing.assert_allclose(found[~tokens.is_padding].sum(axis=1), 1, rtol=1e-5)

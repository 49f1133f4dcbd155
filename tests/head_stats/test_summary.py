"""What a head looks at most, and how it stands among all heads."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.builders import random_stack, random_tokens, random_two_stream_trace
from vl_core import head_stats
from vl_core.example import Region
from vl_core.head_stats.own import OwnStatistic
from vl_core.head_stats.summary import (
    Pair,
    head_weights,
    ranks,
    received,
    strongest_pairs,
    why_missing,
)

NUMBERS = st.sampled_from([np.nan, -1.5, 0.0, 0.25, 0.5, 3.0])  # few, so that heads tie


@given(arrays.arrays(np.float64, (3, 4), elements=NUMBERS))
def test_a_rank_counts_the_heads_above(values):
    """1 for the highest; equal heads share a rank; missing ones have none."""
    expected = [
        [0 if np.isnan(value) else 1 + sum(other > value for other in values.flat) for value in row]
        for row in values
    ]

    assert ranks(values).tolist() == expected


def test_the_strongest_pairs_come_first_and_zeros_never():
    """Query before key; asking for more than there are gives what there is."""
    weights = np.array([[0.1, 0.9, 0.0], [0.5, 0.3, 0.2]])

    assert strongest_pairs(weights, 2) == [Pair(0, 1, 0.9), Pair(1, 0, 0.5)]
    assert len(strongest_pairs(weights, 10)) == 5


def test_received_is_the_mean_over_the_queries_that_look_anywhere():
    """Chosen queries only; a fully masked one does not pull the mean down."""
    weights = np.array([[0.2, 0.8], [0.6, 0.4], [0.0, 0.0], [1.0, 0.0]])
    chosen = np.array([True, True, True, False])

    assert received(weights, chosen) == pytest.approx([0.4, 0.6])
    assert np.isnan(received(weights, np.zeros(4, bool))).all()


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


def test_why_a_statistic_is_missing_is_said():
    """Boxes, words, patches, self-attention: what is lacking is named."""
    text = random_stack(queries=random_tokens(rows=0, columns=0))
    across = random_two_stream_trace().stacks["language<-vision"]

    assert "boxes" in why_missing(head_stats.GROUNDING, text)
    assert "no patches are looked at" in why_missing(head_stats.TEXT_TO_IMAGE_MASS, text)
    assert "no patches look" in why_missing(head_stats.IMAGE_TO_TEXT_MASS, text)
    assert "one stream looks at another" in why_missing(head_stats.DIAGONAL, across)
    assert "one stream looks at another" in why_missing(head_stats.PREVIOUS_TOKEN, across)
    assert "undefined" in why_missing(head_stats.ENTROPY, text)


def test_why_says_nothing_false_of_statistics_that_compare_no_places():
    """An entropy across streams, or one's own statistic whose key only looks like ours."""
    text = random_stack(queries=random_tokens(rows=0, columns=0))
    across = random_two_stream_trace().stacks["language<-vision"]
    own = OwnStatistic(
        key="image_to_noise",
        name="Noise",
        unit="bits",
        definition="What is left.",
        function=lambda *_: float("nan"),
    )

    assert "undefined" in why_missing(head_stats.ENTROPY, across)
    assert "undefined" in why_missing(own, text)
    assert "undefined" in why_missing(own, across)


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


def test_why_the_class_token_says_nothing():
    """No such token, left out, or nothing asked about whose place is known."""
    star = Region("star", (0.0, 0.0, 20.0, 16.0))
    statistic = head_stats.CLASS_AUC
    plain = random_stack(queries=random_tokens(specials=False), regions=(star,))

    assert "no special token looks" in why_missing(statistic, plain)
    assert "objects that are asked about" in why_missing(statistic, random_stack())
    assert "left out without special" in why_missing(statistic, random_stack(regions=(star,)))

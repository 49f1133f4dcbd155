"""Rollout against plain loops, and where the answer is known."""

from math import comb

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens, random_two_stream_trace
from vl_core.attribution.rollout import rollout, rollout_row
from vl_core.errors import ModelError
from vl_core.trace import Block, KeptWeights, Stack


def slow_rollout(stack):
    """Layer by layer from the first on, one entry at a time."""
    n = len(stack.queries)
    held = np.eye(n)
    for layer in range(stack.n_layers):
        mean = sum(stack.weights[layer, head].astype(float) for head in range(stack.n_heads))
        mixed = np.zeros((n, n))
        for query in range(n):
            for key in range(n):
                mixed[query, key] = 0.5 * mean[query, key] / stack.n_heads
            mixed[query, query] += 0.5
            mixed[query] /= mixed[query].sum()
        held = np.array([[mixed[q] @ held[:, k] for k in range(n)] for q in range(n)])
    return held


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mask": "causal", "kept": "queries_keys"},
        {"windows": 2},
        {"queries": random_tokens(3, 2, 4, padding=2)},
    ],
    ids=["plain", "causal", "windows", "padded"],
)
def test_rollout_is_what_its_rule_says(options):
    """Mean over heads, half identity, product over layers; each row is a distribution."""
    stack = random_stack(5, layers=4, **options)
    tokens = ~stack.queries.is_padding

    found = rollout(stack)

    np.testing.assert_allclose(found[tokens], slow_rollout(stack)[tokens], atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-9)
    for query in np.flatnonzero(tokens):
        np.testing.assert_allclose(rollout_row(stack, int(query)), found[query], atol=1e-12)


def test_padding_holds_itself_and_nobody_else_holds_it():
    """It is no token, even if a model looks at it."""
    found = rollout(random_stack(queries=random_tokens(padding=2)))

    assert not found[:-2, -2:].any()
    np.testing.assert_array_equal(found[-2:, -2:], np.eye(2))


def test_looking_one_back_gives_binomial_shares():
    """A token that always looks at the one before is k steps away with chance C(n, k) / 2^n."""
    tokens = random_tokens(5, 2, 3)
    n, layers = len(tokens), 4
    back = np.eye(n, k=-1)
    back[0, 0] = 1
    kept = KeptWeights(np.broadcast_to(back, (3, n, n)).astype(np.float16))
    blocks = tuple((Block(np.arange(n), np.arange(n), kept),) for _ in range(layers))
    stack = Stack("encoder", "encoder", "encoder", tokens, tokens, tuple(range(layers)), blocks)

    row = rollout_row(stack, 9)

    wanted = np.zeros(n)
    wanted[5:10] = [comb(layers, steps) / 2**layers for steps in range(layers, -1, -1)]
    np.testing.assert_allclose(row, wanted, atol=1e-12)
    np.testing.assert_allclose(rollout(stack)[0], np.eye(n)[0], atol=1e-12)


def test_cross_attention_is_refused():
    """Where one stream looks at another, its rows are no mixture of the same tokens."""
    stack = random_two_stream_trace().stacks["language<-vision"]

    with pytest.raises(ModelError, match="language looks at vision"):
        rollout(stack)
    with pytest.raises(ModelError, match="language<-vision"):
        rollout_row(stack, 1)

"""What each key receives, against plain loops and where the answer is known."""

import math

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens
from tests.sinks.made import STACKS, renormalised, stack_of
from vl_core.head_stats import SPECIAL_SHARE
from vl_core.sinks import receiving as module
from vl_core.sinks import without
from vl_core.sinks.receiving import received
from vl_core.trace import KeptQueriesKeys, KeptWeights, Mask


def slow_received(stack, layer):
    """Shares (head x key), lift and total of one layer: one query and one key at a time."""
    weights = renormalised(stack, layer, np.zeros(len(stack.keys), bool))
    allowed = stack.allowed(layer) & ~stack.keys.is_padding
    kinds, is_padding = stack.queries.kinds, stack.queries.is_padding
    giving = [q for q in range(len(stack.queries)) if not is_padding[q] and allowed[q].any()]
    shares = np.full((stack.n_heads, len(stack.keys)), np.nan)
    lift, total = np.full(len(stack.keys), np.nan), np.zeros(len(stack.keys))
    for key in range(len(stack.keys)):
        content = [q for q in giving if kinds[q] in ("text", "image")]
        for head in range(stack.n_heads):
            if content:
                shares[head, key] = sum(weights[head, q, key] for q in content) / len(content)
        others = [q for q in giving if allowed[q, key]]
        if stack.queries is stack.keys:
            others = [q for q in others if q != key]
        came = [weights[:, q, key].mean() for q in others]
        even = [1 / allowed[q].sum() for q in others]
        total[key] = sum(came)
        if others:
            lift[key] = (sum(came) / len(others)) / (sum(even) / len(others))
    return shares, lift, total


@pytest.mark.parametrize("name", STACKS)
def test_it_is_what_the_definition_says(name):
    """Layer by layer, for every way of keeping attention and every mask."""
    stack = STACKS[name]
    found = received(stack)

    assert found.shares.shape == (stack.n_layers, stack.n_heads, len(stack.keys))
    for layer in range(stack.n_layers):
        shares, lift, total = slow_received(stack, layer)
        np.testing.assert_allclose(found.shares[layer], shares, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.lift[layer], lift, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.total[layer], total, rtol=1e-4, atol=1e-5)


def test_uniform_attention_lifts_nothing():
    """Each key gets what it would get anyway: 1, under a causal mask too."""
    tokens = random_tokens(5, 2, 4)
    n = len(tokens)
    even = np.tri(n) / np.arange(1, n + 1)[:, None]
    stack = stack_of(np.broadcast_to(even, (2, 3, n, n)), tokens, mask=Mask("causal"))

    lift = received(stack).lift

    np.testing.assert_allclose(lift[:, :-1], 1, rtol=1e-3)
    assert np.isnan(lift[:, -1]).all()  # none comes after it


def test_all_on_the_first_token_is_counted_by_hand():
    """Of 12 tokens 11 look at the first: 11 over the sum of 1/2, 1/3 ... 1/12."""
    tokens = random_tokens()
    weights = np.zeros((2, 3, 12, 12))
    weights[..., 0] = 1

    found = received(stack_of(weights, tokens, mask=Mask("causal")))

    wanted = 11 / math.fsum(1 / n for n in range(2, 13))
    np.testing.assert_allclose(found.lift[:, 0], wanted)
    np.testing.assert_allclose(found.total[:, 0], 11)
    assert (found.shares[..., 0] == 1).all()
    assert (found.mass == np.eye(12)[0]).all()
    assert (found.lift[:, 1:-1] == 0).all()


def test_what_a_token_gives_itself_is_not_received():
    """Tokens that look at themselves alone receive nothing from others, but count in the shares."""
    tokens = random_tokens(3, 2, 4)
    n = len(tokens)

    found = received(stack_of(np.broadcast_to(np.eye(n), (2, 3, n, n)), tokens))

    assert (found.lift == 0).all()
    assert (found.total == 0).all()
    np.testing.assert_allclose(found.mass[0][tokens.is_text], 1 / 11)


def test_padding_that_is_looked_at_is_no_key():
    """What a model forgot to mask takes no share, and the rest is divided by what is left."""
    tokens = random_tokens(4, 2, 3, padding=2)
    n = len(tokens)
    weights = np.full((2, 3, n, n), 0.5 / (n - 2))
    weights[..., -2:] = 0.25

    found = received(stack_of(weights, tokens))

    assert (found.shares[..., -2:] == 0).all()
    np.testing.assert_allclose(found.shares[..., :-2], 1 / (n - 2), rtol=1e-3)
    np.testing.assert_allclose(found.lift[:, :-2], 1, rtol=1e-3)
    assert np.isnan(found.lift[:, -2:]).all()


def test_shares_on_special_tokens_are_the_statistic_of_that_name():
    """Two ways to one number, for every stack that has it."""
    for stack in STACKS.values():
        keys = np.repeat(stack.keys.is_special[None], stack.n_layers, axis=0)
        np.testing.assert_allclose(received(stack).on(keys), SPECIAL_SHARE.of(stack), atol=1e-5)


def test_no_words_and_patches_no_shares():
    """Where special tokens alone look, shares are missing and not zero; lift is a number."""
    specials = random_tokens(0, 0, 0)
    stack = random_stack(queries=specials, keys=random_tokens(0, 2, 4))

    found = received(stack)

    assert np.isnan(found.shares).all()
    assert np.isnan(found.mass).all()
    assert np.isnan(found.on(np.ones((3, 10), bool))).all()
    assert np.isfinite(found.lift).all()


def test_a_head_with_nothing_left_takes_no_part():
    """In one head all that remains of a word's row is nothing: its mean is over the others."""
    tokens = random_tokens(4, 2, 3)
    weights = np.full((1, 2, 12, 12), 1 / 12)
    weights[0, 1, 3] = np.eye(12)[0]
    stack = without(stack_of(weights, tokens), np.arange(12) == 0)

    shares = received(stack).shares

    np.testing.assert_allclose(shares[0, :, 1:], 1 / 11, rtol=1e-3)


@pytest.mark.parametrize("kept", [KeptWeights, KeptQueriesKeys])
def test_no_more_than_a_block_is_formed(kept, monkeypatch):
    """Blocks of few rows and heads give the same, and none is larger than the budget."""
    stack = STACKS["causal weights" if kept is KeptWeights else "causal"]
    wanted = received(stack)
    formed, rows = [], kept.rows

    def spied(self, *asked):
        weights = rows(self, *asked)
        formed.append(weights.nbytes)
        return weights

    monkeypatch.setattr(kept, "rows", spied)
    monkeypatch.setattr(module, "BLOCK_BYTES", 4 * 12 * 10)
    monkeypatch.setattr(module, "BLOCK_ROWS", 5)
    found = received(stack)

    assert max(formed) == 4 * 12 * 8  # two heads of four rows: twelve in as few parts, and even
    np.testing.assert_allclose(found.shares, wanted.shares, rtol=1e-5)
    np.testing.assert_allclose(found.lift, wanted.lift, rtol=1e-5)

"""A stack as if its special tokens had not been there."""

import numpy as np
import pytest

from tests.biased import biased
from tests.builders import random_stack, random_tokens
from vl_core.head_stats.specials import without_specials
from vl_core.trace import Mask


@pytest.mark.parametrize("kept", ["weights", "queries_keys"])
@pytest.mark.parametrize("mask", ["full", "causal"])
@pytest.mark.parametrize("windows", [1, 2])
def test_rows_are_divided_by_what_is_left(kept, mask, windows):
    """Weights between other tokens stand where they stood, each row summing to one again."""
    tokens = random_tokens(4, 2, 3, padding=2)
    stack = random_stack(2, queries=tokens, kept=kept, mask=mask, windows=windows)
    others = np.flatnonzero(~tokens.is_special)
    wanted = np.asarray(stack.weights)[:, :, others][..., others]
    left = wanted.sum(-1, keepdims=True)
    wanted = np.divide(wanted, left, out=np.zeros_like(wanted), where=left > 0)

    came = without_specials(stack)

    np.testing.assert_allclose(np.asarray(came.weights), wanted, atol=1e-3)
    assert came.queries is came.keys
    assert came.queries.texts == tuple(tokens.texts[i] for i in others)
    assert came.queries.is_padding.sum() == 2
    assert (came.allowed(1) == stack.allowed(1)[np.ix_(others, others)]).all()


def test_streams_of_cross_attention_are_both_thinned():
    """Queries and keys of different streams each lose their own special tokens."""
    words, patches = random_tokens(4, 0, 0), random_tokens(0, 2, 3)
    came = without_specials(random_stack(queries=words, keys=patches))

    assert came.weights.shape == (3, 5, 4, 6)
    assert set(came.queries.kinds) == {"text"}
    assert set(came.keys.kinds) == {"image"}


def test_layers_with_one_mask_share_it_without_specials():
    """A table for each layer would take layers x query x key; full attention needs none."""
    full = without_specials(random_stack())
    causal = without_specials(random_stack(mask="causal", kept="queries_keys"))

    assert all(block.kept.mask.allows_all for (block,) in full.blocks)
    assert len({id(block.kept.mask) for (block,) in causal.blocks}) == 1


def test_tables_are_formed_once(monkeypatch):
    """Not one for each layer, of which all but one are thrown away."""
    formed = []
    rows = Mask.rows
    stack = random_stack(mask="causal", kept="queries_keys", layers=4)
    monkeypatch.setattr(Mask, "rows", lambda *given: formed.append(given) or rows(*given))

    without_specials(stack)

    assert len(formed) == 1


def test_a_bias_keeps_its_distances():
    """Dropping a token between two others brings them no nearer."""
    stack = biased("f2", 6)
    others = np.flatnonzero(~stack.queries.is_special)
    wanted = np.asarray(stack.weights)[:, :, others][..., others]
    left = wanted.sum(-1, keepdims=True)
    wanted = np.divide(wanted, left, out=np.zeros_like(wanted), where=left > 0)

    np.testing.assert_allclose(np.asarray(without_specials(stack).weights), wanted, atol=1e-5)

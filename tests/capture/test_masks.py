"""Masks read off what attention adds to its scores, and their shortest description."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra import numpy as arrays

from vl_core.capture.masks import LiveMask, described
from vl_core.trace import Mask

EVERYTHING = slice(None)
LOWEST = torch.finfo(torch.float32).min


@given(arrays.arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 7))))
def test_a_description_gives_back_the_table(allowed):
    """Whatever is allowed, the description says exactly that."""
    assert (described(allowed).rows(EVERYTHING, *allowed.shape) == allowed).all()


@pytest.mark.parametrize(
    "mask",
    [
        Mask(),
        Mask("causal"),
        Mask("causal", offset=2),
        Mask("sliding", window=3),
        Mask("sliding", offset=2, window=2),
    ],
)
@pytest.mark.parametrize("n_padded", [0, 1])
def test_plain_structures_are_told_without_a_table(mask, n_padded):
    """Full, causal and sliding masks are recognised, padded or not, also behind cached keys."""
    n_queries, n_keys = 6, 6 + mask.offset
    is_padding = np.arange(n_keys) < n_padded
    allowed = mask.rows(EVERYTHING, n_queries, n_keys) & ~is_padding

    found = described(allowed)

    assert found.kind == mask.kind
    assert found.window == mask.window
    assert (found.rows(EVERYTHING, n_queries, n_keys) == allowed).all()


def test_anything_else_is_a_table():
    """A mask without a simple structure is kept as it is."""
    allowed = np.eye(4, 5, dtype=bool)
    allowed[0, 3:] = allowed[2, 0] = True

    assert described(allowed).kind == "explicit"


def test_hidden_keys_and_bias_are_told_apart():
    """Numbers far below any score hide a key; all others are added to the scores."""
    added = torch.tensor([[[[0.5, LOWEST, 0.0], [-3.0, 0.0, -torch.inf]]]])

    mask = LiveMask.of(added, 0, (2, 3))

    assert mask.allowed.tolist() == [[True, False, True], [True, True, False]]
    assert mask.bias.tolist() == [[[0.5, 0.0, 0.0], [-3.0, 0.0, 0.0]]]


def test_nothing_hidden_is_no_mask():
    """A mask of zeros is the same as none."""
    mask = LiveMask.of(torch.zeros(2, 1, 1, 3), 1, (2, 3))

    assert mask.allowed is None
    assert mask.bias is None
    assert mask.description == Mask()

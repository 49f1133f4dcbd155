"""What keys would receive from queries that look at all they may alike, against a plain loop."""

import numpy as np
import pytest
from hypothesis import given

from tests.builders import random_stack, random_tokens
from tests.sinks.made import STACKS
from tests.test_structure import stacks
from vl_core import uniform
from vl_core.trace import Stack
from vl_core.uniform import uniform_shares


def slow(stack: Stack, queries: np.ndarray, layer: int) -> np.ndarray:
    """One query after another, from the layer's whole table."""
    rows = []
    for allowed in stack.allowed(layer)[queries]:
        may = allowed & ~stack.keys.is_padding
        if may.any():
            rows.append(may / may.sum())
    return np.mean(rows, axis=0) if rows else np.full(len(stack.keys), np.nan)


def expect_the_slow_way(stack: Stack) -> None:
    """For words and patches, for one query, and for none."""
    content = stack.queries.is_text | stack.queries.is_image
    for queries in (content, np.arange(len(content)) == 2, np.zeros_like(content)):
        found = uniform_shares(stack, queries)
        for layer in range(stack.n_layers):
            np.testing.assert_allclose(found[layer], slow(stack, queries, layer), rtol=1e-12)


@pytest.mark.parametrize("name", STACKS)
def test_uniform_shares_are_those_of_a_plain_loop(name):
    """Whatever the masks, windows and padding."""
    expect_the_slow_way(STACKS[name])


@given(stacks())
def test_uniform_shares_follow_every_mask(stack):
    """Two blocks in a layer, over scattered positions, each with a mask of its own."""
    expect_the_slow_way(stack)


def test_rows_are_formed_some_at_a_time(monkeypatch):
    """In portions that do not divide them; and only of the layers that are asked for."""
    stack = random_stack(queries=random_tokens(5, 2, 4, padding=3), mask="causal")
    queries = stack.queries.is_image
    whole = uniform_shares(stack, queries)
    monkeypatch.setattr(uniform, "BLOCK_ROWS", 4)

    np.testing.assert_allclose(uniform_shares(stack, queries, [1]), whole[1:2], rtol=1e-12)

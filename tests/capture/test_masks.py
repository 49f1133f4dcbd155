"""Masks read off what attention adds to its scores, and their shortest description."""

import tracemalloc

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


def description(allowed):
    """What a table is described as, asked for by rows."""
    table = torch.from_numpy(allowed)
    return described(lambda rows: table[rows], allowed.shape)


@given(arrays.arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 7))))
def test_a_description_gives_back_the_table(allowed):
    """Whatever is allowed, the description says exactly that."""
    assert (description(allowed).rows(EVERYTHING, *allowed.shape) == allowed).all()


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

    found = description(allowed)

    assert found.kind == mask.kind
    assert found.window == mask.window
    assert (found.rows(EVERYTHING, n_queries, n_keys) == allowed).all()


def test_anything_else_is_a_table():
    """A mask without a simple structure is kept as it is."""
    allowed = np.eye(4, 5, dtype=bool)
    allowed[0, 3:] = allowed[2, 0] = True

    assert description(allowed).kind == "explicit"


def test_hidden_keys_and_bias_are_told_apart():
    """Numbers far below any score hide a key; all others are added to the scores."""
    added = torch.tensor([[[[0.5, LOWEST, 0.0], [-3.0, 0.0, -torch.inf]]]])

    mask = LiveMask.of(added, 0, (2, 3))

    assert mask.allowed(EVERYTHING).tolist() == [[True, False, True], [True, True, False]]
    hidden = -torch.inf
    assert mask.added(EVERYTHING, EVERYTHING).tolist() == [[[0.5, hidden, 0], [-3, 0, hidden]]]


def test_nothing_hidden_is_no_mask():
    """A mask of zeros is the same as none."""
    mask = LiveMask.of(torch.zeros(2, 1, 1, 3), 1, (2, 3))

    assert mask.bias is None
    assert mask.description == Mask()
    assert mask.is_given


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_old_codes_ten_thousand_hides_a_key(dtype):
    """-10000 hides, in bfloat16 as well, where it is -9984; half of it is a bias."""
    added = torch.tensor([[[[0.0, -10_000.0, -5_000.0]]]], dtype=dtype)

    mask = LiveMask.of(added, 0, (1, 3))

    assert mask.allowed(EVERYTHING).tolist() == [[True, False, True]]
    added = mask.added(EVERYTHING, EVERYTHING)[0, 0]
    assert added[:2].tolist() == [0, -torch.inf]
    assert added[2] == pytest.approx(-5_000, rel=1e-2)


@pytest.mark.parametrize("kind", ["full", "causal", "sliding", "explicit"])
def test_describing_a_large_table_takes_little_memory(kind):
    """Beside the table of 3 MB no other of its size is formed, whose numbers take eight bytes."""
    n_queries, n_keys = 1500, 2000
    window = 40 if kind == "sliding" else None
    structure = "causal" if kind == "explicit" else kind
    mask = Mask(structure, offset=n_keys - n_queries, window=window)
    allowed = mask.rows(EVERYTHING, n_queries, n_keys)
    if kind == "explicit":
        allowed[-1, 5] = False
    tracemalloc.start()

    found = description(allowed)

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.kind == kind
    assert most < 5 * allowed.nbytes
    assert (found.rows(EVERYTHING, n_queries, n_keys) == allowed).all()


def bias_by_distance(heads, n_queries, n_keys):
    """Any number for each head and distance, pair by pair."""
    values = np.random.default_rng(0).normal(size=(heads, n_queries + n_keys - 1))
    table = np.zeros((heads, n_queries, n_keys), np.float32)
    for head in range(heads):
        for query in range(n_queries):
            for key in range(n_keys):
                table[head, query, key] = values[head, key - query + n_queries - 1]
    return torch.tensor(table)


def biased(table):
    """A mask that adds this (head x query x key) to the scores."""
    return LiveMask.of(table[None], 0, table.shape[1:])


@pytest.mark.parametrize("sizes", [(3, 4, 6), (1, 6, 4), (2, 5, 5), (2, 1, 4)])
def test_a_bias_of_distances_is_told_by_them(sizes):
    """One number for each head and distance says the same as the table."""
    table = bias_by_distance(*sizes)

    found = biased(table).distances

    assert found.values.shape == (sizes[0], sizes[1] + sizes[2] - 1)
    np.testing.assert_array_equal(found.rows(np.arange(sizes[0]), EVERYTHING), table)


def test_of_hidden_keys_no_bias_is_known():
    """Nor need it be: what is allowed is told by its distance, though the table has zeros there."""
    table, allowed = bias_by_distance(3, 4, 6), torch.ones(4, 6).tril(1).bool()
    allowed[:, 2] = False

    found = biased(table.masked_fill(~allowed, LOWEST)).distances

    rows = found.rows(np.arange(3), EVERYTHING)
    np.testing.assert_array_equal(rows[:, allowed], table[:, allowed])


def test_another_bias_follows_from_no_distance():
    """One pair that differs from others as far apart, in one head."""
    table = bias_by_distance(3, 4, 6)
    table[1, 2, 3] += 1

    assert biased(table).distances is None


def test_what_is_hidden_from_some_heads_is_no_bias_of_distances():
    """Though it be hidden for its distance: nothing that is kept beside the bias says so."""
    table = bias_by_distance(3, 4, 6)
    table[1, torch.ones(4, 6).triu(2).bool()] = -torch.inf

    assert biased(table).distances is None


def test_no_bias_has_no_distances():
    """There is nothing to tell."""
    assert LiveMask((4, 6), torch.device("cpu")).distances is None

"""What tokens look at and what looks at them, against plain loops; what tokens are called."""

import csv
import io
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens
from vl_core.errors import EmptySelectionError
from vl_core.token_attention import (
    arrays_of_layer,
    as_csv,
    patch_places,
    profile,
    token_labels,
    token_names,
    weights_of,
)


@pytest.mark.parametrize("layer", [0, 2, None])
@pytest.mark.parametrize("head", [0, 4, None])
def test_a_mean_over_layers_or_heads_is_the_mean_of_their_weights(layer, head):
    """The same by adding up one matrix after the other; rows still add up to one."""
    stack = random_stack(3)

    found = weights_of(stack, layer, head)

    total, count = np.zeros(found.shape), 0
    for one in range(3) if layer is None else [layer]:
        for other in range(5) if head is None else [head]:
            total += stack.weights[one, other]
            count += 1
    np.testing.assert_allclose(found, total / count, rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("tokens", [(4,), (0, 3, 7)])
def test_a_profile_is_a_mean_of_rows_or_of_columns(tokens):
    """Looks at: over keys, for queries not as many as keys; is looked at by: over queries."""
    weights = np.random.default_rng(0).dirichlet(np.ones(9), size=8)

    row = profile(weights, tokens, "looks_at")
    column = profile(weights, tokens, "looked_at_by")

    for key in range(9):
        assert row[key] == pytest.approx(sum(weights[t, key] for t in tokens) / len(tokens))
    for query in range(8):
        assert column[query] == pytest.approx(sum(weights[query, t] for t in tokens) / len(tokens))
    assert row.sum() == pytest.approx(1)


def test_a_profile_of_no_token_is_refused():
    """The mean over nothing is undefined."""
    with pytest.raises(EmptySelectionError, match="No token"):
        profile(np.eye(3), (), "looks_at")


def test_patches_of_a_grid_are_called_by_row_and_column():
    """Counted from 1, rows from the top; words stand in quotes, specials as they are."""
    names = token_names(random_tokens(n_text=2, rows=2, columns=3))

    assert names[:4] == ("[CLS]", "'is'", "'the'", "[SEP]")
    assert names[4] == "patch 1, 1"
    assert names[6:8] == ("patch 1, 3", "patch 2, 1")


def test_labels_are_the_names_without_quotes():
    """In a list or beside a mark a word needs none."""
    table = random_tokens(n_text=2, rows=2, columns=3)

    assert token_labels(table)[:4] == ("[CLS]", "is", "the", "[SEP]")
    assert token_labels(table)[4:] == token_names(table)[4:]


def test_patches_that_form_no_grid_are_numbered():
    """One patch that is missing, or lies elsewhere, leaves no rows and columns to speak of."""
    table = random_tokens(n_text=2, rows=2, columns=3)
    boxes = table.boxes.copy()
    boxes[-1] += 1.5
    moved = replace(table, boxes=boxes)

    assert patch_places(moved) is None
    assert token_names(moved)[-1] == token_labels(moved)[-1] == "patch 6"


def test_the_table_has_a_line_for_each_token_with_its_weight():
    """Read back, every line has the token's place, name and weight; words have no box."""
    table = random_tokens(n_text=4, rows=2, columns=3)
    values = np.random.default_rng(1).random(len(table))

    lines = list(csv.DictReader(io.StringIO(as_csv(table, values))))

    assert [int(line["position"]) for line in lines] == list(range(1, 13))
    assert [line["token"] for line in lines] == list(token_names(table))
    assert [float(line["weight"]) for line in lines] == pytest.approx(values.tolist(), rel=1e-7)
    assert [float(lines[-1][side]) for side in ("left", "top", "right", "bottom")] == [
        40,
        16,
        60,
        32,
    ]
    assert lines[1]["left"] == ""


@pytest.mark.parametrize("layer", [1, None])
def test_the_arrays_of_a_layer_hold_every_head(layer):
    """Head x query x key, between streams of different length, with names for both axes."""
    queries = random_tokens(n_text=5, rows=0, columns=0)
    keys = random_tokens(n_text=0, rows=3, columns=5)
    stack = random_stack(4, queries=queries, keys=keys)

    arrays = arrays_of_layer(stack, layer)

    wanted = np.asarray(stack.weights)
    wanted = wanted.mean(axis=0) if layer is None else wanted[layer]
    np.testing.assert_allclose(arrays["weights"], wanted, rtol=1e-5)
    assert arrays["weights"].shape == (5, len(arrays["query_names"]), len(arrays["key_names"]))
    assert arrays["key_boxes"].shape == (len(keys), 4)
    assert arrays["query_kinds"].tolist() == list(queries.kinds)


@pytest.mark.parametrize("layer", [1, None])
def test_a_mean_over_heads_never_holds_all_of_them(layer):
    """16 heads of 600 x 600 are 23 MB; their mean is formed within a few heads' room."""
    stack = random_stack(
        layers=2, heads=16, kept="queries_keys", queries=random_tokens(2, 1, 596), key_heads=1
    )
    tracemalloc.start()
    try:
        weights_of(stack, layer, None)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()

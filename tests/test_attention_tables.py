"""What can be taken away holds what it says, and no more than the budget."""

import csv
import io

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens
from tests.test_token_attention import plain_weights
from vl_core import attention_tables
from vl_core.attention_tables import arrays, as_csv, extent
from vl_core.token_attention import token_names

QUERIES = random_tokens(n_text=5, rows=0, columns=0)
KEYS = random_tokens(n_text=0, rows=3, columns=5)
VALUES = np.random.default_rng(1).random(len(KEYS))


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


@pytest.fixture
def stack():
    """Cross-attention between streams of different length: 3 layers, 5 heads, 7 x 17."""
    return random_stack(4, queries=QUERIES, keys=KEYS)


@pytest.mark.parametrize("layer", [1, None])
def test_the_arrays_of_a_layer_hold_every_head(stack, layer):
    """Head x query x key, with names for both axes and the values on show."""
    found = arrays(stack, layer, 2, VALUES)

    wanted = [plain_weights(stack, layer, head) for head in range(5)]
    np.testing.assert_allclose(found["weights"], wanted, atol=1e-6)
    assert found["weights"].shape == (5, len(found["query_names"]), len(found["key_names"]))
    assert found["key_boxes"].shape == (len(KEYS), 4)
    assert found["query_kinds"].tolist() == list(QUERIES.kinds)
    assert found["profile"] is VALUES


@pytest.mark.parametrize("head", [2, None])
def test_beyond_the_budget_the_head_on_show_is_held_alone(monkeypatch, stack, head):
    """Query x key of the head, or of the mean over heads."""
    monkeypatch.setattr(attention_tables, "BUDGET", 4 * 5 * 7 * len(KEYS) - 1)

    assert extent(stack) == "head"
    found = arrays(stack, 1, head, VALUES)["weights"]
    np.testing.assert_allclose(found, plain_weights(stack, 1, head), atol=1e-6)


def test_where_even_one_head_is_too_large_the_profile_is_held(monkeypatch, stack):
    """No matrix at all."""
    monkeypatch.setattr(attention_tables, "BUDGET", 4 * 7 * len(KEYS) - 1)

    assert extent(stack) == "profile"
    found = arrays(stack, 1, 2, VALUES)
    assert "weights" not in found
    assert found["profile"] is VALUES

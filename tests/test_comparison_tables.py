"""Tables of differences hold every head and every token, with what is missing left empty."""

import csv
import io

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens
from vl_core.comparison import attention_in_both
from vl_core.comparison_tables import attention_as_csv, heads_as_csv


def read(text):
    """The lines, numbers as numbers and what is empty as None."""

    def value(cell):
        try:
            return float(cell)
        except ValueError:
            return cell or None

    lines = csv.DictReader(io.StringIO(text))
    return [{name: value(cell) for name, cell in line.items()} for line in lines]


def test_each_head_has_a_line_with_both_values_and_b_minus_a():
    """By the model's own layer numbers, from 1; a missing value leaves the difference empty."""
    one = np.array([[0.1, 0.5, np.nan], [0.3, 0.3, 0.2]])
    other = np.array([[0.4, 0.25, 0.2], [0.3, 0.9, 0.1]])

    lines = read(heads_as_csv((2, 5), one, other))

    assert [(line["layer"], line["head"]) for line in lines] == [
        (layer, head) for layer in (3, 6) for head in (1, 2, 3)
    ]
    assert (lines[1]["a"], lines[1]["b"], lines[1]["b_minus_a"]) == (0.5, 0.25, -0.25)
    assert (lines[2]["a"], lines[2]["b"], lines[2]["b_minus_a"]) == (None, 0.2, None)


def test_each_token_of_either_has_a_line():
    """Those of both with a difference, then what A alone and what B alone has."""
    one, other = random_tokens(6, 1, 2), random_tokens(4, 2, 2)
    stacks = random_stack(1, queries=one), random_stack(2, queries=other)
    found = attention_in_both(*stacks, np.array([[2, 2]]), 1, 3)

    lines = read(attention_as_csv(one, other, found))

    assert len(lines) == 4 + 2 + (2 + 2) + 4  # words and specials of both, two words, patches
    both, rest = lines[:6], lines[6:]
    for line, (i, j), change in zip(both, found.tokens.tolist(), found.difference, strict=True):
        assert (line["position_in_a"], line["position_in_b"]) == (i + 1, j + 1)
        assert line["a"] == pytest.approx(found.shares[0][i], rel=1e-6)
        assert line["b"] == pytest.approx(found.shares[1][j], rel=1e-6)
        assert line["b_minus_a"] == pytest.approx(change, rel=1e-5, abs=1e-9)
    assert [(line["token"], line["kind"]) for line in both][1:3] == [
        ("'is'", "text"),
        ("'the'", "text"),
    ]
    of_one = [line for line in rest if line["position_in_a"]]
    of_other = [line for line in rest if line["position_in_b"]]
    assert len(of_one) == len(of_other) == 4
    assert {line["b"] for line in of_one} == {line["a"] for line in of_other} == {None}
    assert {line["b_minus_a"] for line in rest} == {None}
    last = of_other[-1]
    assert (last["token"], last["left"], last["bottom"]) == ("patch 2, 2", 30, 32)
    assert last["b"] == pytest.approx(found.shares[1][-1], rel=1e-6)

"""Rows in even slices, and how far along them anything may be looked at."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vl_core.row_slices import reached, slices


@given(st.integers(0, 40), st.integers(0, 12))
def test_slices_are_even_and_cover_all(count, most):
    """In order, none too large; where nothing has room, one at a time."""
    found = slices(count, most)
    sizes = [len(range(count)[some]) for some in found]

    assert [place for some in found for place in range(count)[some]] == list(range(count))
    assert max(sizes, default=1) <= max(1, most)
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


@pytest.mark.parametrize(
    ("keys", "expected"),
    [([2, 5], slice(2, 6)), ([0], slice(0, 1)), ([6], slice(6, 7)), ([], slice(0, 1))],
)
def test_keys_from_the_first_to_the_last_are_reached(keys, expected):
    """By any of the rows; of none there is one key all the same."""
    allowed = torch.zeros(3, 7, dtype=torch.bool)
    for row, key in enumerate(keys):
        allowed[row, key] = True

    assert reached(allowed) == expected

"""Token tables: what is what, and where."""

import numpy as np
import pytest

from tests.builders import random_tokens
from vl_core.errors import TraceError
from vl_core.trace import TokenTable


def test_kinds_exclude_padding():
    """A padded position is no word, no patch and no special token."""
    table = TokenTable.of(
        ["[CLS]", "red", "patch", "red"],
        ["special", "text", "image", "text"],
        is_padding=np.array([False, False, False, True]),
    )

    np.testing.assert_array_equal(table.is_special, [True, False, False, False])
    np.testing.assert_array_equal(table.is_text, [False, True, False, False])
    np.testing.assert_array_equal(table.is_image, [False, False, True, False])


def test_what_is_not_given_is_absent():
    """Without boxes, spans and flags nothing has a place and nothing is padded or unknown."""
    table = TokenTable.of(["a", "b", "c"], ["text"] * 3)

    assert np.isnan(table.boxes).all()
    assert (table.spans == -1).all()
    assert not table.is_padding.any()
    assert not table.is_unknown.any()
    assert np.isnan(table.centres).all()


def test_centres_are_counted_in_patches():
    """Neighbouring patches lie one apart in either direction, whatever their size in pixels."""
    table = random_tokens(rows=3, columns=5, size=(60, 42))
    centres = table.centres[table.is_image].reshape(3, 5, 2)

    np.testing.assert_allclose(np.diff(centres[..., 0], axis=1), 1)
    np.testing.assert_allclose(np.diff(centres[..., 1], axis=0), 1)
    np.testing.assert_allclose(centres[0, 0], (0.5, 0.5))
    assert np.isnan(table.centres[table.is_text]).all()


def test_columns_of_unequal_length_are_named():
    """The message says which column has how many entries, and how many tokens there are."""
    with pytest.raises(TraceError, match="2 kinds for 3 token texts"):
        TokenTable.of(["a", "b", "c"], ["text"] * 2)


def test_strange_kinds_are_named():
    """Only text, image and special exist."""
    with pytest.raises(TraceError, match=r"\['sound'\]; only text, image, special exist"):
        TokenTable.of(["a", "b"], ["text", "sound"])


def test_a_table_is_read_only():
    """All visitors share one table, so nobody may write into it."""
    table = random_tokens()
    for array in (table.boxes, table.spans, table.is_padding, table.is_unknown):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_table_is_a_copy_of_what_was_given():
    """The caller may go on writing into an array, and cannot change the table by it."""
    boxes = np.zeros((3, 4))
    table = TokenTable.of(["a", "b", "c"], ["image"] * 3, boxes[:])
    boxes[0] = 5

    assert (table.boxes == 0).all()


@pytest.mark.parametrize(("column", "width"), [("boxes", 3), ("spans", 4)])
def test_boxes_have_four_edges_and_spans_two(column, width):
    """The message gives the shape that came and the one that was wanted."""
    table = TokenTable.of(["a", "b"], ["image"] * 2)
    wanted = {"boxes": 4, "spans": 2}[column]
    array = np.zeros((2, width), getattr(table, column).dtype)
    made = object.__new__(TokenTable)  # as without the types that only the tests check
    made.__dict__.update(vars(table) | {column: array})
    with pytest.raises(TraceError, match=rf"{column} of shape \(2, {width}\); 2 x {wanted}"):
        made.__post_init__()

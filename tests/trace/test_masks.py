"""Masks: descriptions that spell out to the same table as a loop over queries and keys."""

import numpy as np
import pytest

from vl_core.errors import TraceError
from vl_core.trace import Mask

QUERIES, KEYS = 4, 6
IS_PADDING = np.array([False, False, True, False, False, True])
TABLE = np.random.default_rng(0).random((QUERIES, KEYS)) > 0.4


def plainly_allowed(mask, query, key):
    """Whether a query may look at a key, one condition after the other."""
    if mask.is_padding is not None and mask.is_padding[key]:
        return False
    if mask.kind == "explicit":
        return TABLE[query, key]
    if mask.kind == "full":
        return True
    place = query + mask.offset
    return key <= place and (mask.kind == "causal" or key > place - mask.window)


@pytest.mark.parametrize("is_padding", [None, IS_PADDING])
@pytest.mark.parametrize("rows", [slice(None), slice(1, 3), slice(3, None)])
@pytest.mark.parametrize(
    "kind",
    [
        {"kind": "full"},
        {"kind": "causal"},
        {"kind": "causal", "offset": 2},
        {"kind": "sliding", "window": 1},
        {"kind": "sliding", "window": 3, "offset": 2},
        {"kind": "explicit", "allowed": TABLE},
    ],
)
def test_a_mask_equals_a_loop(kind, rows, is_padding):
    """Any rows of any mask are what a loop over queries and keys finds."""
    mask = Mask(**kind, is_padding=is_padding)
    wanted = np.array(
        [
            [plainly_allowed(mask, query, key) for key in range(KEYS)]
            for query in range(QUERIES)[rows]
        ]
    )

    np.testing.assert_array_equal(mask.rows(rows, QUERIES, KEYS), wanted)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ({"kind": "sliding"}, "a sliding mask with window None"),
        ({"kind": "causal", "window": 3}, "a causal mask with window 3"),
        ({"kind": "explicit"}, "an? explicit mask without a table"),
        ({"kind": "full", "allowed": TABLE}, "a full mask with a table"),
        ({"kind": "sliding", "window": -3}, "the window -3; at least 1 key is wanted"),
        ({"kind": "sliding", "window": 0}, "the window 0; at least 1 key is wanted"),
    ],
)
def test_a_contradiction_is_named(mask, message):
    """A window belongs to sliding masks alone, a table to explicit ones."""
    with pytest.raises(TraceError, match=message):
        Mask(**mask)


def test_a_mask_must_fit_its_attention():
    """Tables and padding of another size are refused with both sizes."""
    with pytest.raises(TraceError, match="a mask of 4 x 6 for attention of 6 queries x 4 keys"):
        Mask("explicit", allowed=TABLE).check(6, 4)
    with pytest.raises(TraceError, match="padding of 6 keys for 5 keys"):
        Mask(is_padding=IS_PADDING).check(4, 5)


def test_masks_are_read_only():
    """All visitors share one mask; the table is taken over, the caller's padding copied."""
    is_padding = IS_PADDING.copy()
    mask = Mask("explicit", is_padding=is_padding, allowed=TABLE.copy())
    is_padding[0] = True

    assert not mask.is_padding[0]
    for array in (mask.is_padding, mask.allowed):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = True


def test_masks_that_say_the_same_are_equal():
    """By what their arrays hold; other words for the same table are another mask."""
    mask = Mask("explicit", is_padding=IS_PADDING, allowed=TABLE)
    same = Mask("explicit", is_padding=IS_PADDING.copy(), allowed=TABLE.copy())

    assert mask == same
    assert hash(mask) == hash(same)
    assert mask != Mask("explicit", is_padding=IS_PADDING, allowed=~TABLE)
    assert mask != Mask("explicit", is_padding=~IS_PADDING, allowed=TABLE)
    assert mask != Mask("explicit", allowed=TABLE)
    assert Mask("causal") != Mask("causal", offset=1)

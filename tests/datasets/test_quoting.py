"""Hostile values in messages: short, and such that they can be written anywhere."""

import pytest

from vl_core.datasets.quoting import is_text, quoted, shortened


@pytest.mark.parametrize("value", ["x" * 9_000, list(range(9_000)), {"a": "b" * 900}, 10**3000])
def test_a_long_value_shows_its_ends(value):
    """Of whatever kind."""
    shown = quoted(value)
    assert len(shown) < 60
    assert "..." in shown
    assert shown.startswith(repr(value)[:20])
    assert shown.endswith(repr(value)[-10:])


def test_a_short_value_is_shown_whole():
    """And a name even if it is a long one."""
    assert quoted([1, "a"]) == "[1, 'a']"
    assert shortened("b" * 150) == "b" * 150
    assert len(shortened("b" * 170)) < 160


def test_halves_of_characters_are_no_text_and_can_be_shown():
    """Neither a file nor a terminal takes them."""
    assert (is_text("ß☃"), is_text("a\ud800"), is_text(5)) == (True, False, False)
    assert shortened("a\ud800").encode() == rb"'a\ud800'"
    assert quoted("\udfff").encode() == rb"'\udfff'"

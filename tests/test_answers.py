"""Two answers are the same if their words are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vl_core.answers import is_same, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Red", " red."),
        ("the dog", "A dog!"),
        ("it's a bus", "its bus"),
        ("T-shirt", "t shirt"),
        ("(3.5)", "3.5"),
        ("\N{MINUS SIGN}3", "-3"),
        ("1'-3", "1 3"),
        ("Straße", "STRASSE"),
        ("yes, it is", "Yes it is"),
        ("A", "a."),
    ],
)
def test_writing_makes_no_other_answer(one, other):
    """Upper case, punctuation and articles do not count."""
    assert is_same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("red", "dark red"),
        ("two", "2"),
        ("3.5", "35"),
        ("3.5", "3 5"),
        ("-3", "3"),
        ("dog cat", "cat dog"),
        ("the", "a"),
        ("?", "!"),
        ("theatre", "atre"),
        ("c++", "c"),
    ],
)
def test_other_words_are_another_answer(one, other):
    """Whatever they mean, and in whatever order."""
    assert not is_same(one, other)


@given(st.text(max_size=30))
def test_words_of_words_are_themselves(text):
    """Read once more, nothing else is left out."""
    found = words(text)

    assert words(" ".join(found)) == found

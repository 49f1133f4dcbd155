"""Texts that remember what their phrases name."""

import pytest

from vl_core.datasets.scenes.texts import Phrase, article, composed


def test_phrases_lie_where_their_words_stand():
    """Templates are filled in the order of the text, whatever the order of the parts."""
    text, phrases = composed(
        "is the {one} above the {other}?", other=("moon", (4, 2)), one=("red star", (1,))
    )

    assert text == "is the red star above the moon?"
    assert phrases == (Phrase(7, 15, (1,)), Phrase(26, 30, (4, 2)))


def test_a_template_without_phrases_stays_as_it_is():
    """Nothing to fill in, nothing named."""
    assert composed("is it?") == ("is it?", ())


@pytest.mark.parametrize(
    ("noun", "expected"), [("orange star", "an"), ("object", "an"), ("moon", "a")]
)
def test_articles_go_by_the_first_letter(noun, expected):
    """Vowels take "an"."""
    assert article(noun) == expected

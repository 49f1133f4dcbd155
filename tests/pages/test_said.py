"""What a model said, in a few words for a sentence."""

import pytest

from pages.shared.said import answer, joined
from vl_core.trace import Prediction


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (Prediction("answer", (("red", 0.97), ("blue", 0.01))), ("red", "97 %")),
        (Prediction("candidates", (("b", 0.5), ("a", 0.5))), ("b", "50 %")),
        (Prediction("similarity", (("a star", -0.0001),)), ("cosine 0.000", "")),
        (Prediction("text", ((" A", 0.5), (" star", 0.9), ("</s>", 1.0))), ("A star", "")),
        (Prediction("text", (("<|im_end|>", 0.5),)), ("nothing", "")),
    ],
)
def test_a_number_is_called_a_probability_only_where_it_is_one(prediction, expected):
    """The answer and its share; a cosine or a text has none."""
    assert answer(prediction) == expected


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["The", " star", "."], "The star."),
        (["The", "star"], "The star"),
        ([], ""),
        (["a", "\n", "b"], "a\nb"),
    ],
)
def test_tokens_are_put_together_with_the_blanks_they_bring(words, text):
    """Where none brings any, a blank goes between them."""
    assert joined(words) == text

"""What a model said, in a few words for a sentence."""

import pytest

from pages.shared.said import answer
from vl_core.trace import Prediction


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (Prediction("answer", (("red", 0.97), ("blue", 0.01))), ("red", "97 %")),
        (Prediction("score", (("b", -3.456),)), ("score −3.46", "")),
        (Prediction("similarity", (("a star", -0.0001),)), ("cosine 0.000", "")),
        (Prediction("text", ((" A", 0.5), ("b", 0.9), ("</s>", 1.0)), text=" Ab"), ("Ab", "")),
        (Prediction("text", (("<|im_end|>", 0.5),), text=""), ("nothing", "")),
        (Prediction("text", (("\n", 0.5),), text="\n"), ("nothing", "")),
        (
            Prediction("text", (("a", 0.5), (" r", 0.9)), text="a r", is_cut_off=True),
            ("a r", "stopped after 2 tokens"),
        ),
    ],
)
def test_a_number_is_called_a_probability_only_where_it_is_one(prediction, expected):
    """The answer and its share; a cosine or a text has none, though one may be cut off."""
    assert answer(prediction) == expected

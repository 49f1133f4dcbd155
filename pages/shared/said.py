"""What a model said, in words: a probability is only called so where it is one."""

from pages.shared.layout import percent
from pages.shared.measured import written
from vl_core.counted import counted
from vl_core.trace import Prediction

NOT_TOLD = "not told"  # what a model said that ran elsewhere
NOTHING = "nothing"  # what a model said whose text has no character that can be seen


def answer(prediction: Prediction) -> tuple[str, str]:
    """The answer, and what is to be told beside it, which may be nothing.

    That is its probability where the model gives one, and where a text was cut off.
    """
    if prediction.kind == "told":
        return (prediction.top[0][0] if prediction.top else NOT_TOLD), ""
    text, number = prediction.top[0]
    if prediction.kind == "similarity":
        return f"cosine {cosine(number)}", ""
    if prediction.kind == "text":
        stopped = f"stopped after {counted(len(prediction.top), 'token')}"
        return generated(prediction), stopped if prediction.is_cut_off else ""
    if prediction.kind == "score":
        return f"score {score(number)}", ""
    return text, percent(number)


def generated(prediction: Prediction) -> str:
    """The generated text, or in a word that there is none."""
    return (prediction.text or "").strip() or NOTHING


def score(value: float) -> str:
    """A score for reading: two decimals, a true minus sign, and none before zero."""
    return written(value, 2)


def cosine(value: float) -> str:
    """A cosine for reading: three decimals, a true minus sign, and none before zero."""
    return written(value, 3)

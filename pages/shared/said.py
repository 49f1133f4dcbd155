"""What a model said, in words: a probability is only called so where it is one."""

import re
from collections.abc import Sequence

from pages.shared.layout import percent
from vl_core.trace import Prediction

SIGN = re.compile(r"<\|?[^<>\s]+\|?>|\[[A-Z_]+\]")  # tokens that are no part of an answer


def answer(prediction: Prediction) -> tuple[str, str]:
    """The answer, and its probability for reading; that is empty where the model gives none."""
    text, number = prediction.top[0]
    if prediction.kind == "similarity":
        return f"cosine {cosine(number)}", ""
    if prediction.kind == "text":
        return generated(prediction), ""
    if prediction.kind == "score":
        return f"score {score(number)}", ""
    return text, percent(number)


def generated(prediction: Prediction) -> str:
    """The generated tokens as one text."""
    words = [word for word, _ in prediction.top if not SIGN.fullmatch(word.strip())]
    return joined(words) or "nothing"


def joined(words: Sequence[str]) -> str:
    """Tokens put together; where none of them brings a blank with it, with blanks between."""
    bring_blanks = any(word != word.strip() for word in words)
    return ("" if bring_blanks else " ").join(words).strip()


def score(value: float) -> str:
    """A score for reading: two decimals, a true minus sign, and none before zero."""
    return f"{value:z.2f}".replace("-", "\N{MINUS SIGN}")


def cosine(value: float) -> str:
    """A cosine for reading: three decimals, a true minus sign, and none before zero."""
    return f"{value:z.3f}".replace("-", "\N{MINUS SIGN}")

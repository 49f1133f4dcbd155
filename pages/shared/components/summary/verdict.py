"""What the overview's card says of a model's verdict, for each kind of it.

A number is called a probability only where it is one.
"""

from typing import Any

from pages.shared.layout import percent
from pages.shared.said import cosine, generated, score
from vl_core.trace import Prediction, Trace

LISTED = 5
READ = {
    "similarity": "The text, as the model reads it",
    "other": "The question, as the model reads it",
}
TITLES = {
    "answer": "What the model answers",
    "score": "How well it fits, in the model's eyes",
    "similarity": "How alike the model finds picture and text",
    "text": "What the model answers",
}
NO_PROBABILITY = (
    "The cosine of the angle between the two, −1 to 1. It is no probability and says little by "
    "itself: compare it with that of other texts or pictures."
)
NO_SHARE = (
    "A score has no unit and is no probability: it says something only beside those of the other "
    "candidates or sources of the same question, and the largest is the model's choice."
)
EACH_WORD = (
    "Below each token stands the probability that the model gave it, given all that came before. "
    "Each was the likeliest at its place; the whole need not be the likeliest answer."
)


def verdict(trace: Trace) -> dict[str, Any]:
    """Titles, the answers with their bars or the generated tokens, and what must be said of them.

    bar: 0..1. said: the number beside it, for reading.
    """
    prediction = trace.prediction
    return {
        "read": READ.get(prediction.kind, READ["other"]),
        "title": TITLES[prediction.kind],
        "inLine": prediction.kind == "text",
        "whole": generated(prediction) if prediction.kind == "text" else "",
        "answers": [_answer(prediction, *one) for one in _listed(prediction)],
        "note": _note(prediction),
        "truth": _truth(trace),
    }


def _listed(prediction: Prediction) -> tuple[tuple[str, float], ...]:
    return prediction.top if prediction.kind == "text" else prediction.top[:LISTED]


def _answer(prediction: Prediction, text: str, number: float) -> dict[str, Any]:
    if prediction.kind == "score":
        return {"text": text, "share": 0.0, "said": score(number)}
    is_cosine = prediction.kind == "similarity"
    said = cosine(number) if is_cosine else percent(min(number, 1.0))
    return {"text": text, "share": min(1.0, max(0.0, number)), "said": said}


def _note(prediction: Prediction) -> str:
    """What kind of number stands beside the answers, where it is not the usual one."""
    if prediction.kind == "text":
        return EACH_WORD
    if prediction.kind == "similarity":
        return NO_PROBABILITY
    if prediction.kind == "score":
        return NO_SHARE
    if prediction.similarity is None:
        return ""
    return f"Cosine of picture and text: {cosine(prediction.similarity)}. {NO_PROBABILITY}"


def _truth(trace: Trace) -> str:
    """The right answer where it is known, and whether the model gave it where that is plain."""
    right, prediction = trace.example.answer, trace.prediction
    if right is None:
        return ""
    if prediction.kind in ("score", "similarity", "text"):
        return f"The right answer is known: {right}."
    is_right = prediction.top[0][0].casefold() == right.casefold()
    verdict = "right" if is_right else f"wrong: it is {right}"
    return f"The scene's own answer is known; the model is {verdict}."

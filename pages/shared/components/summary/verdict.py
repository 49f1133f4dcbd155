"""What the overview's card says of a model's verdict, for each kind of it.

A number is called a probability only where it is one.
"""

from typing import Any

from pages.shared.layout import percent
from pages.shared.said import cosine, generated, score
from vl_core.counted import counted
from vl_core.trace import Prediction, Trace

LISTED = 5
READ = "The text, as the model reads it"  # a question, a caption, or how a caption begins
TITLES = {
    "answer": "What the model answers",
    "match": "Whether picture and text belong together, in the model's eyes",
    "score": "How well it fits, in the model's eyes",
    "similarity": "How alike the model finds picture and text",
    "text": "What the model answers",
    "told": "What the model answered, as told with its tensors",
}
NO_PROBABILITY = (
    "The cosine of the angle between the two, −1 to 1. It is no probability and says little by "
    "itself: compare it with that of other texts or pictures."
)
NO_SHARE = (
    "A score has no unit and is no probability: it says something only beside those of the other "
    "candidates or sources of the same question, and the largest is the model's choice."
)
TOLD = (
    "The model did not run here: what it answered was told beside its tensors, without a "
    "probability, and was not checked."
)
UNTOLD = "The model did not run here, and what it answered was not told beside its tensors."
EACH_WORD = (
    "Below each token stands the probability that the model gave it, given all that came before. "
    "Each was the likeliest at its place; the whole need not be the likeliest answer."
)


def verdict(trace: Trace) -> dict[str, Any]:
    """Titles, the answers with their bars or the generated tokens, and what must be said of them.

    share: the length of the bar, 0..1, None for none. said: the number beside it, for reading.
    """
    prediction = trace.prediction
    return {
        "read": READ,
        "title": TITLES[prediction.kind],
        "inLine": prediction.kind == "text",
        "whole": generated(prediction) if prediction.kind == "text" else "",
        "answers": _words(trace) if prediction.kind == "text" else _answers(prediction),
        "stopped": _stopped(prediction),
        "note": _note(prediction),
        "truth": _truth(trace),
    }


def _stopped(prediction: Prediction) -> str:
    """What is to be said where the answer is not the whole of it."""
    if not prediction.is_cut_off:
        return ""
    return (
        f"The answer was stopped after {counted(len(prediction.top), 'token')}; the model would "
        "have gone on."
    )


def _words(trace: Trace) -> list[dict[str, Any]]:
    """Each generated token: what it is called on all pages, and what it adds to the text."""
    top = trace.prediction.top
    tables = (stream.tokens for stream in trace.streams.values())
    generated_tokens = [table.chosen(table.is_generated).texts for table in tables]
    added = tuple(text for text, _ in top)
    names = next((one for one in generated_tokens if len(one) == len(top)), added)
    return [
        _answer(trace.prediction, name, share) | {"adds": text}
        for name, (text, share) in zip(names, top, strict=True)
    ]


def _answers(prediction: Prediction) -> list[dict[str, Any]]:
    return [_answer(prediction, *one) for one in prediction.top[:LISTED]]


def _answer(prediction: Prediction, text: str, number: float) -> dict[str, Any]:
    if prediction.kind == "score":
        return {"text": text, "share": None, "said": score(number)}
    if prediction.kind == "told":
        return {"text": text, "share": None, "said": ""}
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
    if prediction.kind == "told":
        return TOLD if prediction.top else UNTOLD
    if prediction.similarity is None:
        return ""
    return f"Cosine of picture and text: {cosine(prediction.similarity)}. {NO_PROBABILITY}"


def _truth(trace: Trace) -> str:
    """The right answer where it is known, and whether the model gave it where that is plain."""
    right = trace.example.answer
    if right is None:
        return ""
    if trace.was_right is None:
        what = "answer" if trace.example.task == "answer" else "one"
        return f"The right {what} is known: “{right}”"
    verdict = "right" if trace.was_right else f"wrong: it is “{right}”"
    return f"The right answer is known; the model is {verdict}."

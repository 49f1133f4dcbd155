"""Accuracy when questions are put in other words and pictures look otherwise."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from training import looks
from training.evaluation.accuracy import answers, mean_right, share_right
from training.evaluation.scoring import Input, scores
from training.evaluation.subject import REPORTED_SEEDS, Subject
from training.questions import Asked, question_set
from training.rows import UNTAGGED_TYPES, tagged
from vl_core.datasets.scenes import (
    ANSWERS,
    CANVAS_SIZES,
    QUESTION_TYPES,
    Question,
    paraphrased,
)

Picture = Callable[[Asked], Image.Image]

LOOKS: dict[str, Picture] = {
    "as drawn": lambda one: one.picture,
    "brightness x 0.6": lambda one: looks.brightness(0.6)(one.picture),
    "brightness x 0.8": lambda one: looks.brightness(0.8)(one.picture),
    "brightness x 1.25": lambda one: looks.brightness(1.25)(one.picture),
    "brightness x 1.5": lambda one: looks.brightness(1.5)(one.picture),
    "contrast x 0.6": lambda one: looks.contrast(0.6)(one.picture),
    "JPEG, quality 50": lambda one: looks.jpeg(50)(one.picture),
    "JPEG, quality 20": lambda one: looks.jpeg(20)(one.picture),
    "JPEG, quality 10": lambda one: looks.jpeg(10)(one.picture),
    "blur of 1 pixel": lambda one: looks.blur(1.0)(one.picture),
    "noise of 8 levels": lambda one: looks.grain(8.0, one.seed)(one.picture),
    "drawn at 64 pixels": lambda one: one.scene.render(64),
    "drawn at 300 pixels": lambda one: one.scene.render(300),
    "drawn at 1024 pixels": lambda one: one.scene.render(1024),
}
"""What the model is shown instead of the picture as it is drawn, 128 pixels on its longer side."""

UNKNOWN = "shiny"  # not in the vocabulary; it takes no side

NEW_SIZES = ((128, 104), (120, 128), (72, 128))
"""Canvases whose sides are no whole number of cells, which training never drew."""


def robustness(subject: Subject, per_type: int) -> dict[str, Any]:
    """Mean accuracy over the types of question, under each change."""
    asked = question_set(REPORTED_SEEDS, per_type)
    return {
        "questions": len(asked),
        "phrasing": _phrasings(subject, asked),
        "looks": {
            name: mean_right(asked, answers(subject, asked, look)) for name, look in LOOKS.items()
        },
        "canvases": {
            f"{width} x {height}": _on_canvas(subject, (width, height), per_type)
            for width, height in (*CANVAS_SIZES, *NEW_SIZES)
        },
    }


def _phrasings(subject: Subject, asked: Sequence[Asked]) -> dict[str, dict[str, float]]:
    """By type of question, and the mean over the types that can be put that way."""
    put = {
        "plain": list(asked),
        "other sentences": _reworded(asked, unseen=False, synonyms=False),
        "other sentences and synonyms": _reworded(asked, unseen=False, synonyms=True),
        "sentences never trained on": _reworded(asked, unseen=True, synonyms=False),
        "sentences never trained on, synonyms": _reworded(asked, unseen=True, synonyms=True),
    }
    put["an unknown word"] = [one.saying(_with_unknown(one.question)) for one in asked]
    figures = {name: _by_type(own, answers(subject, own)) for name, own in put.items()}
    can_be_tagged = [one for one in asked if one.question.type not in UNTAGGED_TYPES]
    figures["tags instead of words"] = _by_type(
        can_be_tagged, _tagged_answers(subject, can_be_tagged)
    )
    return figures


def _by_type(asked: Sequence[Asked], given: Sequence[str]) -> dict[str, float]:
    types = [name for name in QUESTION_TYPES if any(one.question.type == name for one in asked)]
    return {name: share_right(asked, given, name) for name in types} | {
        "mean": mean_right(asked, given)
    }


def _reworded(asked: Sequence[Asked], *, unseen: bool, synonyms: bool) -> list[Asked]:
    return [
        one.saying(
            paraphrased(
                one.question, random.Random(f"{one.seed}"), unseen=unseen, synonyms=synonyms
            )
        )
        for one in asked
    ]


def _with_unknown(question: Question) -> Question:
    """The question with a word that the model does not know before the first named thing."""
    start = question.phrases[0].start
    return replace(question, text=f"{question.text[:start]}{UNKNOWN} {question.text[start:]}")


def _tagged_answers(subject: Subject, asked: Sequence[Asked]) -> list[str]:
    """Answers to questions that name objects by number, as in "is [3] left of [1]?"."""
    given = []
    for one in asked:
        tags = {index: index + 1 for index in range(len(one.scene.objects))}
        text, _ = tagged(one.question, tags)
        given.append(Input((text,), one.picture, one.scene))
    logits = scores(subject.model, subject.processor, given)["answer_logits"]
    return [ANSWERS[index] for index in logits.argmax(-1).tolist()]


def _on_canvas(subject: Subject, size: tuple[int, int], per_type: int) -> float:
    """Mean accuracy on scenes of one size."""
    asked = question_set(REPORTED_SEEDS, per_type, size)
    return mean_right(asked, answers(subject, asked))

"""How often the model is right, by type of question, beside what can be had without looking."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.baselines import question_only
from training.evaluation.scoring import Input, blank, scores
from training.evaluation.subject import CHOOSING_SEEDS, REPORTED_SEEDS, Subject
from training.questions import CHOICES, Asked, question_set, questions_about
from vl_core.datasets.scenes import ANSWERS, QUESTION_TYPES

SUBSET_PER_TYPE = 20  # what the tests ask again
_BINS = 15  # of confidence
_TYPES_PER_SCENE = 4
_TRAINING_QUESTIONS = 60_000  # for the baseline

Picture = Callable[[Asked], Image.Image]


def accuracy(
    subject: Subject, n_scenes: int, n_training_questions: int = _TRAINING_QUESTIONS
) -> dict[str, Any]:
    """Accuracy on unseen scenes, each asked four types of question, and how sure the model is."""
    asked = questions_about(REPORTED_SEEDS[:n_scenes], _TYPES_PER_SCENE)
    logits = answer_logits(subject, asked)
    answered = _named(logits)
    columns = {
        "model": answered,
        "question only": _named(
            question_only(n_training_questions).scores([one.question.text for one in asked])
        ),
        "blank picture": _named(answer_logits(subject, asked, lambda one: blank(one.scene))),
    }
    types = {
        name: {column: share_right(asked, given, name) for column, given in columns.items()}
        | {"chance": 1 / choices, "questions": sum(one.question.type == name for one in asked)}
        for name, choices in CHOICES.items()
    }
    return {
        "scenes": n_scenes,
        "questions": len(asked),
        "seeds": [asked[0].seed, asked[-1].seed],
        "types": types,
        "mean": {
            column: fmean(row[column] for row in types.values()) for column in (*columns, "chance")
        },
        "square pictures": _mean_right(asked, answered, is_square),
        "other pictures": _mean_right(asked, answered, lambda one: not is_square(one)),
        "calibration": calibration(logits, asked),
        "subset": {"per_type": SUBSET_PER_TYPE, "model": subset_accuracy(subject)},
    }


def subset_accuracy(subject: Subject) -> float:
    """Mean over the types on a few questions: quick enough for the tests."""
    asked = question_set(REPORTED_SEEDS, SUBSET_PER_TYPE)
    return mean_right(asked, answers(subject, asked))


def answers(subject: Subject, asked: Sequence[Asked], picture: Picture | None = None) -> list[str]:
    """The model's answer to each question; `picture` says what it is shown."""
    return _named(answer_logits(subject, asked, picture))


def answer_logits(
    subject: Subject, asked: Sequence[Asked], picture: Picture | None = None
) -> Tensor:
    """Logits (question, answer); `picture` says what the model is shown."""
    shown = picture or (lambda one: one.picture)
    given = [Input((one.question.text,), shown(one)) for one in asked]
    return scores(subject.model, subject.processor, given)["answer_logits"]


def share_right(asked: Sequence[Asked], given: Sequence[str], question_type: str) -> float:
    """Share of right answers among the questions of a type; nan without any."""
    right = [
        answer == one.question.answer
        for one, answer in zip(asked, given, strict=True)
        if one.question.type == question_type
    ]
    return fmean(right) if right else float("nan")


def mean_right(asked: Sequence[Asked], given: Sequence[str]) -> float:
    """Mean over the types of the share of right answers."""
    return float(np.nanmean([share_right(asked, given, name) for name in QUESTION_TYPES]))


def is_square(one: Asked) -> bool:
    """Whether the picture has as many rows as columns."""
    return one.scene.width == one.scene.height


def calibration(logits: Tensor, asked: Sequence[Asked]) -> dict[str, float]:
    """Whether an answer given with 90 % confidence is right nine times out of ten.

    "expected calibration error": mean difference of confidence and accuracy over 15 bins of equal
    width, weighted by how many answers fall into each (Guo et al. 2017).
    """
    confidence, index = logits.softmax(-1).max(-1)
    targets = torch.tensor([ANSWERS.index(one.question.answer) for one in asked])
    right = (index == targets).double()
    bins = (confidence * _BINS).long().clamp(max=_BINS - 1)
    error = sum(
        float((confidence[chosen].double().mean() - right[chosen].mean()).abs() * chosen.sum())
        for number in range(_BINS)
        if (chosen := bins == number).any()
    )
    return {
        "expected calibration error": error / len(asked),
        "mean confidence": float(confidence.mean()),
        "accuracy": float(right.mean()),
        "negative log-likelihood": float(torch.nn.functional.cross_entropy(logits, targets)),
    }


def temperature(subject: Subject, n_scenes: int = 1500) -> float:
    """What to divide the answers' logits by so that confidence says how often they are right.

    Fitted on scenes that nothing is reported on.
    """
    asked = questions_about(CHOOSING_SEEDS[:n_scenes], _TYPES_PER_SCENE)
    logits = answer_logits(subject, asked).double()
    targets = torch.tensor([ANSWERS.index(one.question.answer) for one in asked])
    grid = torch.logspace(-1, 1, 401, base=4, dtype=torch.double)
    losses = [float(torch.nn.functional.cross_entropy(logits / value, targets)) for value in grid]
    return float(grid[int(np.argmin(losses))])


def _named(logits: Tensor) -> list[str]:
    return [ANSWERS[index] for index in logits.argmax(-1).tolist()]


def _mean_right(
    asked: Sequence[Asked], given: Sequence[str], chosen: Callable[[Asked], bool]
) -> float:
    pairs = [(one, answer) for one, answer in zip(asked, given, strict=True) if chosen(one)]
    return mean_right([one for one, _ in pairs], [answer for _, answer in pairs])

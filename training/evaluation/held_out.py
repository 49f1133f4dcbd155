"""New combinations: a model that never met eight pairs of color and shape, asked about them.

It is another model than the one that ships, trained by `python -m training --without-pairs`; the
one that ships is asked the same, as the sets may differ in difficulty.
"""

from collections.abc import Sequence
from typing import Any

from training.evaluation.accuracy import answers, mean_right, share_right
from training.evaluation.subject import REPORTED_SEEDS, Subject
from training.held_out import PAIRS, names, shows
from training.questions import Asked, question_set
from vl_core.datasets.scenes import QUESTION_TYPES

_ASKED_AT_FIRST = 10  # times as many questions as are wanted; few are about such a pair


def held_out(subject: Subject, control: Subject, per_type: int) -> dict[str, Any]:
    """Accuracy on questions about an object of such a pair, and on scenes without any.

    subject: the model without the pairs. control: the model that ships.
    """
    asked = question_set(REPORTED_SEEDS, per_type * _ASKED_AT_FIRST)
    sets = {
        "scenes without them": _some(asked, per_type, about=False),
        "about held-out pairs": _some(asked, per_type, about=True),
    }
    return {
        "weights_sha256": subject.weights_hash,
        "pairs": [list(pair) for pair in PAIRS],
        "questions": {
            name: {kind: sum(one.question.type == kind for one in own) for kind in QUESTION_TYPES}
            for name, own in sets.items()
        },
        "without the pairs": {name: _by_type(subject, own) for name, own in sets.items()},
        "shipped": {name: _by_type(control, own) for name, own in sets.items()},
    }


def is_about(one: Asked) -> bool:
    """Whether the question names a held-out pair, or asks for an object of one."""
    return names(one.question.text, PAIRS) or any(
        (one.scene.objects[index].color, one.scene.objects[index].shape) in PAIRS
        for index in one.question.focus
    )


def _some(asked: Sequence[Asked], per_type: int, *, about: bool) -> list[Asked]:
    """Up to as many questions of each type, about a pair or with none in text and scene."""
    fitting = [
        one
        for one in asked
        if (is_about(one) if about else not is_about(one) and not shows(one.scene, PAIRS))
    ]
    return [
        one
        for name in QUESTION_TYPES
        for one in [other for other in fitting if other.question.type == name][:per_type]
    ]


def _by_type(subject: Subject, asked: Sequence[Asked]) -> dict[str, float]:
    given = answers(subject, asked)
    return {name: share_right(asked, given, name) for name in QUESTION_TYPES} | {
        "mean": mean_right(asked, given)
    }

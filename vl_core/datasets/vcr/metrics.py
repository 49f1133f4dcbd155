"""How often a model chooses rightly on VCR: Q->A, QA->R and both together.

Scores are item x candidate, larger for what fits better. The largest is chosen, of equal ones each
by its share (see `credit`); ties in answers and in rationales are broken independently. Labels are
numbers of the right candidates, from 0. By chance a quarter of the answers is right, a quarter of
the rationales, and a sixteenth of both.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int

from vl_core.counted import counted
from vl_core.datasets.credit import credit
from vl_core.errors import DatasetError, EmptySelectionError

Scores = Float[np.ndarray, "item candidate"]
Labels = Int[np.ndarray, "item"]


class Accuracy(NamedTuple):
    """Shares of items, 0 to 1; in VCR's own words Q->A, QA->R and Q->AR.

    answers: whose answer is right. rationales: whose rationale is right, given the right answer.
    both: of which both are.
    """

    answers: float
    rationales: float
    both: float


def accuracy(
    answers: Scores, answer_labels: Labels, rationales: Scores, rationale_labels: Labels
) -> Accuracy:
    """The three shares over the same items.

    rationales: scored given the right answer. Raises EmptySelectionError without items, and
    DatasetError for scores that are no numbers.
    """
    if not len(answer_labels):
        raise EmptySelectionError("accuracy on VCR: no item came, need one")
    answer_credit = _credit(answers, answer_labels)
    rationale_credit = _credit(rationales, rationale_labels)
    return Accuracy(
        float(answer_credit.mean()),
        float(rationale_credit.mean()),
        float((answer_credit * rationale_credit).mean()),
    )


def _credit(scores: Scores, labels: Labels) -> Float64[np.ndarray, "item"]:
    if np.isnan(scores).any():
        raise DatasetError(
            f"{counted(int(np.isnan(scores).any(axis=1).sum()), 'item')} with scores that are no "
            "numbers; nothing can be chosen there."
        )
    pairs = zip(scores.tolist(), labels.tolist(), strict=True)
    return np.array([credit(own, {label}) for own, label in pairs], np.float64)

"""How often a model chooses rightly on VCR: Q->A, QA->R and both together.

Scores are item x candidate, larger for what fits better. The largest is chosen, of equal ones the
first. Labels are numbers of the right candidates, from 0. By chance a quarter of the answers is
right, a quarter of the rationales, and a sixteenth of both.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

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
    answer_hits = _hits(answers, answer_labels)
    rationale_hits = _hits(rationales, rationale_labels)
    return Accuracy(
        float(answer_hits.mean()),
        float(rationale_hits.mean()),
        float((answer_hits & rationale_hits).mean()),
    )


def _hits(scores: Scores, labels: Labels) -> Bool[np.ndarray, "item"]:
    if np.isnan(scores).any():
        raise DatasetError(
            f"{int(np.isnan(scores).any(axis=1).sum())} items have scores that are no numbers; "
            "nothing can be chosen there."
        )
    return np.asarray(scores.argmax(axis=1) == labels)

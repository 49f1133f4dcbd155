"""How well the sources that answer are told from the others: precision, recall and F1.

Each source has a score by itself; those above a threshold are chosen. Per question, over the set
of chosen sources: precision = hits / chosen, recall = hits / right, F1 = their harmonic mean, each
0 without a hit; then the mean over the questions. This is the definition of WebQA's baseline, but
for the 1e-5 that its code adds to the denominators, which takes some 1e-5 of a perfect F1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from vl_core.errors import EmptySelectionError

# One score for each option, nan where a source could not be read: it is never chosen.
Scores = Float[np.ndarray, "_"]
TRIED = 70  # thresholds
_SWEEP = np.linspace(0.3, 0.99, TRIED)  # shares of all sources that may be left out


class Retrieval(NamedTuple):
    """Means over the questions, each 0..1."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class _Sources:
    """All sources of all questions, one after the other."""

    scores: Float[np.ndarray, "source"]
    is_right: Bool[np.ndarray, "source"]
    question: Int64[np.ndarray, "source"]  # which one it belongs to, by number
    n_questions: int

    def retrieval(self, threshold: float) -> Retrieval:
        is_chosen = self.scores > threshold
        hits = self._counts(is_chosen & self.is_right)
        # Where one of these is 0 there is no hit either.
        n_chosen = np.maximum(self._counts(is_chosen), 1)
        n_right = np.maximum(self._counts(self.is_right), 1)
        f1 = 2 * hits / (n_chosen + n_right)
        means = [float(figure.mean()) for figure in (hits / n_chosen, hits / n_right, f1)]
        return Retrieval(*means)

    def _counts(self, chosen: Bool[np.ndarray, "source"]) -> Int64[np.ndarray, "question"]:
        return np.bincount(self.question[chosen], minlength=self.n_questions)


def _sources(scores: Sequence[Scores], right: Sequence[frozenset[int]]) -> _Sources:
    if not scores:
        raise EmptySelectionError("retrieval on WebQA: no question came, need one")
    lengths = [len(own) for own in scores]
    is_right = [
        place in places
        for length, places in zip(lengths, right, strict=True)
        for place in range(length)
    ]
    question = np.repeat(np.arange(len(lengths)), lengths)
    return _Sources(np.concatenate(scores), np.array(is_right, bool), question, len(lengths))


def retrieval(
    scores: Sequence[Scores], right: Sequence[frozenset[int]], threshold: float
) -> Retrieval:
    """How well sources scored above the threshold agree with the right ones.

    scores: for each question one for each option; right: the places of the right options. Raises
    EmptySelectionError without a question.
    """
    return _sources(scores, right).retrieval(threshold)


def best_threshold(scores: Sequence[Scores], right: Sequence[frozenset[int]]) -> float:
    """The threshold of the highest mean F1, of 70 between which an equal share of all scores lies.

    The lowest leaves out 30 % of all sources, the highest 99 %; the lowest of several equally good
    ones. Choose it on other questions than those on which F1 is told. Raises EmptySelectionError
    without a single score.
    """
    sources = _sources(scores, right)
    if np.isnan(sources.scores).all():
        raise EmptySelectionError("retrieval on WebQA: no source has a score, need one")
    candidates = np.nanquantile(sources.scores, _SWEEP)
    return float(max(candidates, key=lambda value: sources.retrieval(float(value)).f1))


def chosen(scores: Scores, threshold: float) -> tuple[int, ...]:
    """The places of the options of one question that are scored above the threshold."""
    return tuple(np.flatnonzero(scores > threshold).tolist())

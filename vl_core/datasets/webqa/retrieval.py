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
from jaxtyping import Bool, Float, Float64, Int64

from vl_core.errors import EmptySelectionError

# One score for each option, nan where a source could not be read: it is never chosen. Scores of any
# precision are compared with a threshold in float64, as numpy would round it to theirs.
Scores = Float[np.ndarray, "_"]
_ROUNDING = 1e-9


class Retrieval(NamedTuple):
    """Means over the questions, each 0..1."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class _Sources:
    """All sources of all questions, one after the other."""

    scores: Float64[np.ndarray, "source"]
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

    def sweep(self) -> tuple[Float64[np.ndarray, "way"], Float64[np.ndarray, "way"]]:
        """Each way to part the sources by their scores: a threshold and the sum of all F1 there.

        Sources are chosen one after another, the highest score first. Each moves the F1 of its own
        question alone; of those with one score only all together are a way.
        """
        order = np.argsort(-self.scores, kind="stable")[: np.count_nonzero(~np.isnan(self.scores))]
        scores, question = self.scores[order], self.question[order]
        totals = np.cumsum(self._gains(question, self.is_right[order]))
        is_last = np.append(scores[1:] < scores[:-1], True)
        below = np.append(scores[1:], -np.inf)[is_last]
        return _between(below, scores[is_last]), totals[is_last]

    def _gains(
        self, question: Int64[np.ndarray, "place"], is_right: Bool[np.ndarray, "place"]
    ) -> Float64[np.ndarray, "place"]:
        """By how much the F1 of its question grows when the source is chosen after those before."""
        by_question = np.argsort(question, kind="stable")
        is_first = np.diff(question[by_question], prepend=-1) != 0
        starts = np.flatnonzero(is_first)[np.cumsum(is_first) - 1]
        n_chosen = np.arange(len(question)) - starts + 1
        hits = np.cumsum(is_right[by_question])
        hits -= (hits - is_right[by_question])[starts]
        f1 = 2 * hits / (n_chosen + self._counts(self.is_right)[question[by_question]])
        gains = np.empty(len(question))
        gains[by_question] = f1 - np.where(is_first, 0, np.roll(f1, 1))
        return gains

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
    every = np.concatenate(scores, dtype=np.float64)
    return _Sources(every, np.array(is_right, bool), question, len(lengths))


def retrieval(
    scores: Sequence[Scores], right: Sequence[frozenset[int]], threshold: float
) -> Retrieval:
    """How well sources scored above the threshold agree with the right ones.

    scores: for each question one for each option; right: the places of the right options. Raises
    EmptySelectionError without a question.
    """
    return _sources(scores, right).retrieval(threshold)


def best_threshold(scores: Sequence[Scores], right: Sequence[frozenset[int]]) -> float:
    """The threshold of the highest mean F1 that there is; the lowest of several equally good ones.

    It lies halfway between two scores, so that it bears rounding, or beside the lowest. Choose it
    on other questions than those on which F1 is told. Raises EmptySelectionError without a single
    score.
    """
    sources = _sources(scores, right)
    if np.isnan(sources.scores).all():
        raise EmptySelectionError("retrieval on WebQA: no source has a score, need one")
    thresholds, totals = sources.sweep()
    # Sums in another order may differ in their last digits.
    return float(thresholds[totals >= totals.max() - _ROUNDING].min())


def _between(
    below: Float64[np.ndarray, "way"], above: Float64[np.ndarray, "way"]
) -> Float64[np.ndarray, "way"]:
    """A number that is below each of `above` and not below its neighbor; any, where that is -inf.

    Between two neighbors in float64 there is none, and the lower one will do: what is chosen
    is scored above the threshold.
    """
    middle = np.where(np.isinf(below), above - 1, below / 2 + above / 2)
    return np.where((below <= middle) & (middle < above), middle, below)


def chosen(scores: Scores, threshold: float) -> tuple[int, ...]:
    """The places of the options of one question that are scored above the threshold."""
    return tuple(np.flatnonzero(scores.astype(np.float64) > threshold).tolist())

"""Precision, recall and F1 of sources, against the plain definition."""

from statistics import fmean

import numpy as np
import pytest

from vl_core.datasets.webqa import best_threshold, chosen, retrieval
from vl_core.errors import EmptySelectionError


def plain(scores, right, threshold):
    """Sets, question by question."""
    figures = []
    for own, gold in zip(scores, right, strict=True):
        found = {place for place, score in enumerate(own) if score > threshold}
        hits = len(found & gold)
        precision = hits / len(found) if found else 0
        recall = hits / len(gold) if gold else 0
        f1 = 2 * precision * recall / (precision + recall) if hits else 0
        figures.append((precision, recall, f1))
    return tuple(map(fmean, zip(*figures, strict=True)))


def drawn(seed, n_questions=23):
    """Questions with any number of options, some unreadable, none to three right."""
    rng = np.random.default_rng(seed)
    scores, right = [], []
    for _ in range(n_questions):
        n_options = rng.integers(1, 12)
        gold = frozenset(rng.permutation(n_options)[: rng.integers(0, 4)].tolist())
        own = rng.normal(size=n_options) + 2 * np.isin(np.arange(n_options), list(gold))
        own[rng.random(n_options) < 0.1] = np.nan
        scores.append(own)
        right.append(gold)
    return scores, right


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("threshold", [-9.0, -0.5, 0.3, 1.7, 9.0])
def test_figures_are_those_of_the_plain_definition(seed, threshold):
    """All chosen, some chosen, none chosen; a source that could not be read never is."""
    scores, right = drawn(seed)
    assert retrieval(scores, right, threshold) == pytest.approx(plain(scores, right, threshold))


def test_a_question_worked_out_by_hand():
    """Three chosen, two of them right, four right in all; the score at the threshold is out."""
    scores = [np.array([0.9, 0.5, 0.8, 0.1, 0.7, 0.2])]
    found = retrieval(scores, [frozenset({0, 2, 3, 5})], 0.5)
    assert found == pytest.approx((2 / 3, 2 / 4, 4 / 7))
    assert chosen(scores[0], 0.5) == (0, 2, 4)
    assert chosen(np.array([np.nan, 1.0]), 0.5) == (1,)


def test_a_right_source_that_cannot_be_read_counts_as_missed():
    """Leaving it out would flatter."""
    assert retrieval([np.array([np.nan, 1.0])], [frozenset({0, 1})], 0.0).recall == 0.5


def test_the_baselines_small_number_takes_next_to_nothing():
    """Its code adds 1e-5 to each denominator."""
    scores, right = drawn(3)
    with_it = []
    for own, gold in zip(scores, right, strict=True):
        found = set(chosen(own, 0.3))
        precision, recall = (len(found & gold) / (len(one) + 1e-5) for one in (found, gold))
        with_it.append(2 * precision * recall / (precision + recall + 1e-5))
    assert retrieval(scores, right, 0.3).f1 == pytest.approx(fmean(with_it), abs=2e-5)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("step", [0, 0.5])
def test_the_best_threshold_is_the_best_there_is(seed, step):
    """Of all ways to part the scores, also where many are equal; the lowest of the best."""
    scores, right = drawn(seed)
    if step:
        scores = [np.round(own / step) * step for own in scores]
    every = np.unique(np.concatenate(scores))
    every = every[~np.isnan(every)]
    tried = [every[0] - 1, *every]
    f1 = [plain(scores, right, threshold)[2] for threshold in tried]
    found = best_threshold(scores, right)
    assert plain(scores, right, found)[2] == pytest.approx(max(f1))
    lowest = tried[np.flatnonzero(np.array(f1) >= max(f1) - 1e-9)[0]]
    assert [chosen(own, found) for own in scores] == [chosen(own, lowest) for own in scores]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("steps", range(3))
def test_scores_with_no_number_between_them_are_parted(kind, steps):
    """Halfway between two neighbors is one of them, and either may be in half of the cases."""
    low = kind(1)
    for _ in range(steps):
        low = np.nextafter(low, kind(2))
    scores = [np.array([low, np.nextafter(low, kind(2))])]
    right = [frozenset({1})]

    found = best_threshold(scores, right)

    assert chosen(scores[0], found) == (1,)
    assert retrieval(scores, right, found) == (1, 1, 1)


def test_a_threshold_is_not_rounded_to_the_scores_precision():
    """It may lie between two numbers that float32 knows: 0.1 is a little below its own."""
    scores = np.array([0.1, 0.3, -0.2], np.float32)

    assert chosen(scores, 0.1) == (0, 1)
    assert retrieval([scores], [frozenset({0, 1})], 0.1).f1 == 1


def test_nothing_to_measure_is_refused():
    """No question, or no source that could be read."""
    with pytest.raises(EmptySelectionError, match="no question came"):
        retrieval([], [], 0.5)
    with pytest.raises(EmptySelectionError, match="no source has a score"):
        best_threshold([np.array([np.nan, np.nan, np.nan])], [frozenset({0})])

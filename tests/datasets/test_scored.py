"""What scores amount to: who is right where some are missing or equal."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vl_core.datasets import scored, webqa
from vl_core.datasets.scored import Answered, Scored

NAN = math.nan
few = st.sampled_from([-1.0, 0.0, 2.0, NAN])  # so that ties and gaps are common


def one(scores, right, number=0, name="candidates"):
    """Scores of a question."""
    return Scored(number, f"item {number}", 0, name, tuple(scores), right)


@st.composite
def asked(draw, n_right=1):
    """The scores of up to six options, and which of them are right."""
    scores = draw(st.lists(few, min_size=2, max_size=6))
    right = draw(st.sets(st.integers(0, len(scores) - 1), min_size=1, max_size=n_right))
    return scores, tuple(sorted(right))


def by_lot(question):
    """How often one is right who draws one of the best, by trying every draw; None if untold."""
    if any(math.isnan(question.scores[place]) for place in question.right):
        return None
    known = [score for score in question.scores if not math.isnan(score)]
    draws = [place for place, score in enumerate(question.scores) if score == max(known)]
    return sum(place in question.right for place in draws) / len(draws)


@given(asked(n_right=3))
def test_equal_scores_count_as_a_choice_by_lot_would(drawn):
    """Right is only what is right in every draw, wherever the right one stands."""
    question = one(*drawn)
    wanted = by_lot(question)

    assert question.credit == wanted
    assert question.is_right == (None if wanted is None else wanted == 1)


@pytest.mark.parametrize(
    ("scores", "right", "top", "is_right"),
    [
        ([1, 3, 2], (1,), (1,), True),
        ([1, 3, 2], (2,), (1,), False),
        ([3, 3, 2], (0,), (0, 1), False),
        ([3, 3, 2], (0, 1), (0, 1), True),
        ([NAN, 3, 2], (0,), (1,), None),
        ([NAN, 3, 2], (1,), (1,), True),
        ([NAN, NAN], (1,), (), None),
        ([1, 3], None, (1,), None),
    ],
)
def test_who_is_right(scores, right, top, is_right):
    """Not who is right by standing first, nor who is wrong for want of a score."""
    question = one(scores, right)

    assert (question.top, question.is_right) == (top, is_right)


@given(st.lists(asked(), min_size=1, max_size=7))
def test_the_accuracy_is_the_mean_over_the_questions_that_can_be_told(drawn):
    """The others are counted."""
    known = [one(*each, number) for number, each in enumerate(drawn)]
    told = [share for share in map(by_lot, known) if share is not None]

    wanted = [("candidates", pytest.approx(sum(told) / len(told)))] if told else []
    assert scored.figures("table", known) == wanted
    assert scored.n_left_out(known) == len(known) - len(told)


def test_nobody_is_left_out_whose_truth_is_not_told():
    """There is no figure of them anyway."""
    assert scored.n_left_out([one([1, NAN], None), one([1, 2], ())]) == 0
    assert one([1, NAN], None).is_exact(0) is None


@given(st.lists(st.tuples(asked(), asked()), min_size=1, max_size=4))
def test_both_tasks_of_an_item_are_right_by_independent_lots(drawn):
    """Over the items of which both can be told; by trying every pair of draws."""
    known, pairs = [], []
    for number, each in enumerate(drawn):
        tasks = [one(*own, number, name) for own, name in zip(each, ("Q->A", "QA->R"), strict=True)]
        known += tasks
        if None not in map(by_lot, tasks):
            draws = itertools.product(
                *([place in task.right for place in task.top] for task in tasks)
            )
            pairs.append(np.mean([all(pair) for pair in draws]))

    found = dict(scored.figures("VCR", known)).get("Q->AR")
    assert found == (pytest.approx(np.mean(pairs)) if pairs else None)


def test_a_right_source_that_could_not_be_read_is_missed():
    """In retrieval, also where no source could be read: leaving the question out would flatter.

    Which source is best is not known there, so that figure leaves the question out.
    """
    whole, lacking = one([3, -1, 0], (0, 2)), one([NAN, 4, 1, 2], (0,), 1)
    without, unread = one([NAN, 4, 1], (1,), 2), one([NAN, NAN], (1,), 3)
    known = [whole, lacking, without, unread]

    found = dict(scored.figures("WebQA", known, threshold=-0.5))

    assert found["recall"] == pytest.approx((1 + 0 + 1 + 0) / 4)
    assert found["precision"] == pytest.approx((1 + 0 + 1 / 2 + 0) / 4)
    assert found["retrieval F1"] == pytest.approx((1 + 0 + 2 / 3 + 0) / 4)
    assert found["best source is right"] == 1
    assert scored.n_left_out(known) == 2
    assert scored.counts("WebQA", known) == {
        "retrieval F1": (4, 0),
        "precision": (4, 0),
        "recall": (4, 0),
        "best source is right": (2, 2),
    }
    assert scored.figures("WebQA", [unread]) == []


def test_each_figure_is_told_with_its_questions():
    """Of multiple choice those of each task, and the items of which both are known."""
    known = [
        one([1, 2], (1,), 0, "Q->A"),
        one([1, NAN], (1,), 0, "QA->R"),
        one([1, 2], (1,), 1, "Q->A"),
        one([1, 2], (0,), 1, "QA->R"),
        one([NAN, NAN], (0,), 2, "Q->A"),
        one([1, 2], None, 3, "Q->A"),
    ]
    wanted = {"Q->A": (2, 1), "QA->R": (1, 1), "Q->AR": (1, 2)}
    assert scored.counts("VCR", known) == wanted
    assert scored.counts("table", known[:1]) == {"Q->A": (1, 0)}
    assert scored.counts("VCR", []) == {"Q->AR": (0, 0)}


@given(asked(n_right=3), st.sampled_from([-2.0, -0.5, 1.0, 3.0]))
def test_the_chosen_sources_are_exact_where_f1_is_one(drawn, threshold):
    """All right ones and no other lie above the threshold."""
    question = one(*drawn)
    found = question.is_exact(threshold)
    scores, right = np.array(question.scores), frozenset(question.right)
    assert found == (webqa.retrieval([scores], [right], threshold).f1 == 1)
    assert question.chosen(threshold) == tuple(
        place for place, score in enumerate(question.scores) if score > threshold
    )


def test_answers_count_by_their_words():
    """Upper case, marks and articles aside; without any there is no figure."""
    pairs = [("The dog.", "dog"), ("a cat", "dog"), ("dogs", "dog"), ("DOG", "a dog")]
    known = [
        Answered(number, f"item {number}", 0, "question", said, answer=right, is_cut_off=False)
        for number, (said, right) in enumerate(pairs)
    ]
    assert [each.is_right for each in known] == [True, False, False, True]
    assert scored.of_answers(known[:3]) == [("answers", pytest.approx(1 / 3))]
    assert scored.of_answers([]) == []

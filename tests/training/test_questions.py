"""Fixed sets of questions, and what can be guessed without looking."""

from collections import Counter

from training.baselines import guesses, trained_question_only
from training.questions import CHOICES, question_set
from vl_core.datasets.scenes import QUESTION_TYPES, UNSEEN_SEEDS


def test_question_set_has_as_many_of_each_type_and_does_not_change():
    """The same seeds give the same questions, none of them about a training scene."""
    asked = question_set(UNSEEN_SEEDS, 7)

    assert Counter(one.question.type for one in asked) == dict.fromkeys(QUESTION_TYPES, 7)
    assert asked == question_set(UNSEEN_SEEDS, 7)
    assert all(one.seed in UNSEEN_SEEDS for one in asked)


def test_choices_are_what_the_questions_leave_open():
    """No type shows more answers than its number of choices, and most show all of them."""
    asked = question_set(UNSEEN_SEEDS, 150)
    for name, choices in CHOICES.items():
        answers = {one.question.answer for one in asked if one.question.type == name}
        # A question about a side, or one whose wording says color or shape, leaves half of them.
        assert len(answers) in {choices, 2 * choices}, name


def test_question_only_learns_the_form_of_the_answer():
    """It answers yes or no where that is asked, and is far from knowing colors."""
    asked = question_set(UNSEEN_SEEDS, 20)
    guessed = guesses(trained_question_only(6_000), asked)
    by_type = {name: [] for name in QUESTION_TYPES}
    for one, answer in zip(asked, guessed, strict=True):
        by_type[one.question.type].append((answer, one.question.answer))

    assert {answer for answer, _ in by_type["exist"]} <= {"yes", "no"}
    assert sum(answer == true for answer, true in by_type["color"]) < 10

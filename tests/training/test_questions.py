"""Fixed sets of questions, and what can be guessed without looking."""

from collections import Counter

from training.baselines import question_only
from training.questions import CHOICES, question_set, questions_about
from vl_core.datasets.scenes import ANSWERS, QUESTION_TYPES, UNSEEN_SEEDS


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
    found = question_only(6_000).scores([one.question.text for one in asked]).argmax(-1)
    guessed = [ANSWERS[index] for index in found.tolist()]
    by_type = {name: [] for name in QUESTION_TYPES}
    for one, answer in zip(asked, guessed, strict=True):
        by_type[one.question.type].append((answer, one.question.answer))

    assert {answer for answer, _ in by_type["exist"]} <= {"yes", "no"}
    assert sum(answer == true for answer, true in by_type["color"]) < 10


def test_every_scene_is_asked_a_few_types_in_turn():
    """Three types for each scene, all types in turn, where the scene offers them."""
    asked = questions_about(UNSEEN_SEEDS[:40], 3)
    by_scene = Counter(one.seed for one in asked)

    assert set(by_scene) <= set(UNSEEN_SEEDS[:40])
    assert max(by_scene.values()) == 3
    for one in asked:
        place = UNSEEN_SEEDS.index(one.seed)
        turn = {QUESTION_TYPES[(place * 3 + step) % 12] for step in range(3)}
        assert one.question.type in turn


def test_a_question_set_on_one_canvas_has_scenes_of_that_size():
    """Width and height are those that were asked for, whatever the seed draws."""
    asked = question_set(UNSEEN_SEEDS, 2, (112, 80))

    assert {(one.scene.width, one.scene.height) for one in asked} == {(112, 80)}

"""The sets of questions on which new combinations and other words are measured."""

import random

from training.evaluation.held_out import is_about
from training.evaluation.robustness import LOOKS, UNKNOWN, _with_unknown
from training.held_out import PAIRS, names, shows
from training.questions import question_set
from vl_core.datasets.scenes import UNSEEN_SEEDS, VOCABULARY


def test_a_question_is_about_a_pair_if_it_names_it_or_asks_for_it():
    """Also where the answer is no and nothing of the kind is there."""
    asked = question_set(UNSEEN_SEEDS, 60)
    about = [one for one in asked if is_about(one)]

    assert any(one.question.answer == "no" and one.question.type == "exist" for one in about)
    for one in asked:
        in_focus = any(
            (one.scene.objects[index].color, one.scene.objects[index].shape) in PAIRS
            for index in one.question.focus
        )
        assert is_about(one) == (in_focus or names(one.question.text, PAIRS))
        if is_about(one) and not names(one.question.text, PAIRS):
            assert shows(one.scene, PAIRS)


def test_the_unknown_word_is_unknown_and_stands_before_a_named_thing():
    """The rest of the question stays."""
    assert UNKNOWN not in VOCABULARY
    for one in question_set(UNSEEN_SEEDS, 3):
        text = _with_unknown(one.question).text
        assert text.replace(f"{UNKNOWN} ", "", 1) == one.question.text
        assert f"{UNKNOWN} " in text


def test_every_look_gives_a_picture_of_the_scene():
    """Of the scene's aspect, and the plain one is the picture as training draws it."""
    one = random.Random(0).choice(question_set(UNSEEN_SEEDS, 3))
    for look in LOOKS.values():
        width, height = look(one).size
        assert abs(width / height - one.scene.width / one.scene.height) < 0.02
    assert LOOKS["as drawn"](one).size == (one.scene.width, one.scene.height)

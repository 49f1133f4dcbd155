"""Rows of training texts."""

import random
from dataclasses import replace

import pytest

from training.recipe import Recipe
from training.rows import ALL_TYPES, caption_row, question_row, rows_about, tagged
from vl_core.datasets.scenes import ANSWERS, QUESTION_TYPES, question, scene

PHASE = Recipe().tasks


def test_a_picture_gets_questions_and_one_caption():
    """Four questions with an answer, then one caption with none."""
    rows = rows_about(3, scene(5), random.Random(0), ALL_TYPES, 4, PHASE)

    assert [row.answer is not None for row in rows] == [True] * 4 + [False]
    assert {row.picture for row in rows} == {3}
    assert set(ALL_TYPES) == set(QUESTION_TYPES)


def test_a_caption_is_either_matched_or_masked():
    """No row asks for both: a mask would tell which captions are true. False ones occur often."""
    rows = [caption_row(0, scene(seed), random.Random(seed)) for seed in range(300)]

    assert all((row.kind == "masked") == (row.matches is None) for row in rows)
    truths = [row.matches for row in rows if row.matches is not None]
    assert 0.35 < sum(truths) / len(truths) < 0.65


def test_tags_replace_the_words_that_name_an_object():
    """Each phrase is where its span says; the words of a tagged object are gone."""
    for seed in range(100):
        asked = question(scene(seed), "relation_verify", random.Random(seed))
        if asked is None:
            continue
        text, phrases = tagged(asked, {number: 6 - number for number in range(6)})
        for phrase in phrases:
            words = text[phrase.start : phrase.end]
            assert words == f"[{6 - phrase.objects[0]}]"
        assert text.startswith(asked.text[: asked.phrases[0].start])
        assert text.endswith(asked.text[asked.phrases[-1].end :])


@pytest.mark.parametrize("tag_share", [0.0, 1.0])
def test_answers_are_numbers_of_the_answer_list(tag_share):
    """A row's answer is the question's; types that name no single object are never tagged."""
    rng, phase = random.Random(1), replace(PHASE, tag_share=tag_share)
    rows = [question_row(0, scene(seed), rng, QUESTION_TYPES, phase) for seed in range(200)]

    assert all(0 <= row.answer < len(ANSWERS) for row in rows)
    tags = {row.kind for row in rows if row.tags}
    assert ("relation_verify" in tags) == bool(tag_share)
    assert not tags & {"exist", "count", "extreme"}


def test_some_questions_are_put_in_other_words():
    """In the phase's share; the answer is that of the plain question."""
    rows = {}
    for share in (0.0, 1.0):
        phase = replace(PHASE, tag_share=0.0, paraphrased_share=share)
        rows[share] = [
            question_row(0, scene(seed), random.Random(seed), QUESTION_TYPES, phase)
            for seed in range(90)
        ]

    assert [row.answer for row in rows[0.0]] == [row.answer for row in rows[1.0]]
    assert not any(row.text.startswith("tell") for row in rows[0.0])
    assert sum(row.text.startswith("tell") for row in rows[1.0]) > 5

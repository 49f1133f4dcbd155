"""Scenes as examples for the app."""

import random

import pytest

from vl_core.datasets.scenes import (
    QUESTION_TYPES,
    as_example,
    caption,
    question,
    scene,
    wrong_caption,
)


def test_a_question_becomes_an_example_with_the_regions_of_its_phrases():
    """Text, answer, picture and boxes are those of the scene at the size asked for."""
    one = scene(12, (128, 80))
    about = question(one, "count", random.Random(6))
    example = as_example(one, about, longer_side=256)

    assert example.text == about.text
    assert example.answer == about.answer
    assert example.size == (256, 160)
    assert example.image.tobytes() == one.render(256).tobytes()
    (phrase,) = about.phrases
    assert len(example.regions) == len(phrase.objects) > 0
    for region, index in zip(example.regions, phrase.objects, strict=True):
        assert region.span == (phrase.start, phrase.end)
        assert region.label == about.text[phrase.start : phrase.end]
        assert region.box == pytest.approx(one.boxes(256)[index])


@pytest.mark.parametrize("question_type", QUESTION_TYPES)
def test_what_only_leads_to_another_object_is_not_asked_about(question_type):
    """In "what color is the object left of the circle", the circle; else every object is asked."""
    leads = question_type in {"relation_query", "nearest"}
    for seed in range(40):
        one = scene(seed)
        about = question(one, question_type, random.Random(seed))
        if about is None:
            continue
        regions = as_example(one, about).regions
        named = [index for phrase in about.phrases for index in phrase.objects]
        wanted = [index == about.focus[0] or not leads for index in named]
        assert [region.is_asked for region in regions] == wanted
        assert not leads or sorted(wanted) == [False, True]


def test_a_caption_becomes_an_example_that_asks_whether_it_is_true():
    """The answer to a true caption is yes, to a wrong one no."""
    one = scene(12)
    rng = random.Random(1)

    assert as_example(one, caption(one, rng)).answer == "yes"
    assert as_example(one, wrong_caption(one, rng)).answer == "no"
    assert all(region.is_asked for region in as_example(one, caption(one, rng)).regions)

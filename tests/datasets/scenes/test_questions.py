"""Questions: true, fair, balanced, and aware of what their words name."""

import random
import re
from collections import Counter, defaultdict

import pytest

from tests.datasets.scenes import oracle
from vl_core.datasets.scenes import (
    ANSWERS,
    CANVAS_SIZES,
    QUESTION_TYPES,
    VOCABULARY,
    question,
    scene,
    suggestions,
)

TWO_WAY = ("size", "exist", "relation_verify", "compare_size", "same")


@pytest.fixture(scope="module")
def asked():
    """Several thousand scenes with a question of each type that they allow."""
    rng = random.Random(3)
    found = []
    for seed in range(2500):
        one = scene(seed)
        found += [(one, question(one, question_type, rng)) for question_type in QUESTION_TYPES]
    return [(one, about) for one, about in found if about]


def template(about):
    """The text of a question without the words of its phrases."""
    text = about.text
    for phrase in reversed(about.phrases):
        text = f"{text[: phrase.start]}_{text[phrase.end :]}"
    return text


def test_the_answer_is_what_a_slow_reader_of_the_text_finds(asked):
    """The text alone, read against the scene, has one answer beyond doubt: the one given."""
    for one, about in asked:
        assert oracle.answer(one, about.text) == about.answer, (one, about.text)


@pytest.mark.parametrize("size", CANVAS_SIZES)
def test_answers_hold_on_every_canvas(size):
    """Halves, margins and distances are those of the actual canvas."""
    rng = random.Random(4)
    found = 0
    for seed in range(60):
        one = scene(seed, size)
        for question_type in QUESTION_TYPES:
            about = question(one, question_type, rng)
            if about:
                found += 1
                assert oracle.answer(one, about.text) == about.answer, (one, about.text)
    assert found > 400


def test_every_type_is_asked_often_and_in_three_wordings_or_more(asked):
    """No type is rare, and none can be told from a single wording."""
    wordings = defaultdict(set)
    counts = Counter()
    for _, about in asked:
        wordings[about.type].add(template(about))
        counts[about.type] += 1

    assert set(counts) == set(QUESTION_TYPES)
    assert min(counts.values()) > 900
    assert min(map(len, wordings.values())) >= 3


def test_a_seed_gives_the_same_questions():
    """Drawn with equal generators, questions are equal."""
    one = scene(17)
    first, second = (
        [question(one, question_type, random.Random(9)) for question_type in QUESTION_TYPES]
        for _ in range(2)
    )

    assert first == second
    assert any(first)


def test_phrases_are_the_characters_that_name_their_objects(asked):
    """Each phrase, cut from the text, names exactly its objects, or the one that is asked for."""
    for one, about in asked:
        for phrase in about.phrases:
            words = about.text[phrase.start : phrase.end]
            meant = [one.objects[index] for index in phrase.objects]
            if about.type == "extreme":
                named = [oracle.subject(one, words)]
            elif about.type in ("relation_query", "nearest") and phrase == about.phrases[0]:
                rest = about.text[phrase.start :].removesuffix("?").removesuffix(" have")
                named = [oracle.subject(one, rest)]
            else:
                named = oracle.all_named(one, words)
            assert named == meant, about.text


def test_phrases_that_refer_fit_one_object(asked):
    """Only existence and counts may speak of several objects or of none."""
    for _, about in asked:
        if about.type not in ("exist", "count"):
            assert [len(phrase.objects) for phrase in about.phrases] == [1] * len(about.phrases)


def test_the_focus_is_what_the_phrases_name(asked):
    """The answer depends on the named objects and on no others."""
    for _, about in asked:
        named = {index for phrase in about.phrases for index in phrase.objects}
        assert set(about.focus) == named


def test_a_question_never_says_what_it_asks_for(asked):
    """The answer's word is in the text only where both answers are on offer."""
    for _, about in asked:
        if about.type not in ("side", "count", "relation_query", "nearest"):
            assert about.answer not in about.text.removesuffix("?").split()


def test_every_word_is_in_the_vocabulary_and_every_answer_among_the_answers(asked):
    """A model with this vocabulary never meets an unknown word."""
    for _, about in asked:
        words = re.findall(r"[a-z]+|\d|[^\sa-z\d]", about.text)
        assert set(words) <= set(VOCABULARY)
        assert about.answer in ANSWERS
        assert " ?" not in about.text


@pytest.mark.parametrize("question_type", TWO_WAY)
def test_two_way_questions_are_balanced_within_each_wording(asked, question_type):
    """Whoever sees the wording only is right at most 57 times in a hundred."""
    by_template = defaultdict(Counter)
    for _, about in asked:
        if about.type == question_type:
            by_template[template(about)][about.answer] += 1

    for answers in by_template.values():
        assert len(answers) == 2
        if answers.total() > 300:
            assert max(answers.values()) / answers.total() < 0.57


def test_sides_are_balanced_within_each_wording(asked):
    """Left and right, top and bottom come out even."""
    by_template = defaultdict(Counter)
    for _, about in asked:
        if about.type == "side":
            by_template[template(about)][about.answer] += 1

    for answers in by_template.values():
        assert max(answers.values()) / answers.total() < 0.57


@pytest.mark.parametrize(
    "question_type", ["color", "shape", "extreme", "relation_query", "nearest"]
)
def test_colors_and_shapes_are_even_answers(asked, question_type):
    """With eight answers, the most frequent one is right at most 18 times in a hundred."""
    by_attribute = defaultdict(Counter)
    for _, about in asked:
        if about.type == question_type:
            by_attribute["color" in about.text][about.answer] += 1

    for answers in by_attribute.values():
        assert len(answers) == 8
        assert max(answers.values()) / answers.total() < 0.18


def test_numbers_are_balanced_whatever_is_counted(asked):
    """The most frequent number is right at most a third of the time, for each kind of noun."""
    by_noun = defaultdict(Counter)
    for _, about in asked:
        if about.type == "count":
            (phrase,) = about.phrases
            words = about.text[phrase.start : phrase.end].split()
            kind = (
                "objects" if words == ["objects"] else (len(words), words[0] in ("small", "large"))
            )
            by_noun[kind][about.answer] += 1

    assert len(by_noun) == 4
    for answers in by_noun.values():
        assert max(answers.values()) / answers.total() < 1 / 3


def test_suggestions_are_different_and_of_different_types_first():
    """A visitor is offered one of each type before a second of any, and nothing twice."""
    for seed in range(40):
        one = scene(seed)
        offered = suggestions(one, 1, 12)
        types = [about.type for about in offered]
        allowed = len(set(types))

        assert offered == suggestions(one, 1, 12)
        assert len({about.text for about in offered}) == len(offered) == 12
        assert len(set(types[:allowed])) == allowed
        assert suggestions(one, 1, 3) == offered[:3]

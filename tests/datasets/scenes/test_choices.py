"""Multiple choice: one true candidate of four, and no way to tell which without looking."""

import random
from collections import Counter
from math import log, sqrt

import pytest

from tests.datasets.scenes.choice_reader import answer_is_true, belongs, reason_is_true, text
from vl_core.datasets.scenes import (
    CANVAS_SIZES,
    CHOICE_KINDS,
    COLORS,
    N_CANDIDATES,
    SHAPES,
    VOCABULARY,
    Choices,
    choices,
    scene,
    spoken,
)
from vl_core.families.kdvlp.tokenization import word_level_tokenizer

MAX_LENGTH = 64  # tokens that the embedded model reads


@pytest.fixture(scope="module")
def asked():
    """Scenes with multiple choice of each kind that they offer."""
    rng = random.Random(8)
    scenes = [scene(seed) for seed in range(1500)]
    drawn = [(one, choices(one, rng, kind)) for one in scenes for kind in CHOICE_KINDS]
    return [(one, about) for one, about in drawn if about]


def sets_of_four(asked):
    """The answers and the reasons, each with the right one's place."""
    for _, about in asked:
        yield about.answers, about.answer_label
        yield about.rationales, about.rationale_label


def check(one, about):
    """A slow reader finds the labelled candidates true and all others false."""
    question = text(about.question)
    answers = [answer_is_true(one, question, text(words)) for words in about.answers]
    reasons = [reason_is_true(one, text(words)) for words in about.rationales]

    assert len(answers) == len(reasons) == N_CANDIDATES == 4
    assert [place for place, is_true in enumerate(answers) if is_true] == [about.answer_label]
    assert [place for place, is_true in enumerate(reasons) if is_true] == [about.rationale_label]


def test_the_labelled_candidates_alone_are_true(asked):
    """Read against the scene beyond doubt, for every kind, over a thousand scenes."""
    for one, about in asked:
        check(one, about)


@pytest.mark.parametrize("size", CANVAS_SIZES)
def test_one_candidate_is_true_on_every_canvas(size):
    """Places and halves are those of the actual canvas."""
    rng = random.Random(9)
    found = Counter()
    for seed in range(60):
        one = scene(seed, size)
        for kind in CHOICE_KINDS:
            about = choices(one, rng, kind)
            if about:
                check(one, about)
                found[kind] += 1

    assert min(found[kind] for kind in CHOICE_KINDS) > 15


def test_every_kind_is_offered_by_most_scenes(asked):
    """No kind is rare, and each is asked as what it says it is."""
    counts = Counter(about.kind for _, about in asked)

    assert set(counts) == set(CHOICE_KINDS)
    assert min(counts.values()) > 900


def test_reasons_belong_to_the_question_and_its_right_answer(asked):
    """All four speak of the objects and of the place that the right answer is about."""
    for _, about in asked:
        question, answer = text(about.question), text(about.answers[about.answer_label])
        for words in about.rationales:
            assert belongs(question, answer, text(words)), (question, answer, text(words))


def test_the_focus_is_what_question_and_right_answer_name(asked):
    """Each object that they name by its tag, and none beside."""
    for _, about in asked:
        right = about.answers[about.answer_label]
        named = {part for part in (*about.question, *right) if not isinstance(part, str)}

        assert {(index,) for index in about.focus} == named


def test_the_four_candidates_differ(asked):
    """None is offered twice."""
    for candidates, _ in sets_of_four(asked):
        assert len(set(candidates)) == N_CANDIDATES


def test_each_word_stands_in_two_candidates_or_in_all(asked):
    """Rightly and wrongly said alike: no candidate is the odd one out, or the average one.

    Of what two objects may share, two colors and two shapes are offered.
    """
    for candidates, _ in sets_of_four(asked):
        words = Counter(word for candidate in candidates for word in set(candidate))
        if candidates[0][0] == "both":
            values = [text(candidate).split()[2] for candidate in candidates]
            n_colors = sum(value in COLORS for value in values)
            n_shapes = sum(
                value.removesuffix("es" if value == "crosses" else "s") in SHAPES
                for value in values
            )
            assert (n_colors, n_shapes) == (2, 2)
        else:
            assert set(words.values()) <= {2, 4}, candidates


@pytest.mark.parametrize("kind", CHOICE_KINDS)
def test_each_place_is_the_right_one_equally_often(asked, kind):
    """A quarter of the time, within four standard errors."""
    own = [pair for pair in asked if pair[1].kind == kind]
    for labels in (
        Counter(about.answer_label for _, about in own),
        Counter(about.rationale_label for _, about in own),
    ):
        for place in range(N_CANDIDATES):
            share = labels[place] / labels.total()
            assert abs(share - 1 / 4) < 4 * sqrt(3 / 16 / labels.total())


def test_the_places_of_right_answer_and_right_reason_are_independent(asked):
    """They coincide a quarter of the time."""
    same = [about.answer_label == about.rationale_label for _, about in asked]

    assert abs(sum(same) / len(same) - 1 / 4) < 4 * sqrt(3 / 16 / len(same))


def ngrams(words):
    """All runs of one to three words."""
    said = text(words).split()
    return {tuple(said[i : i + n]) for n in (1, 2, 3) for i in range(len(said) - n + 1)}


def chosen_by_counting(training, candidates):
    """The place of the candidate whose runs of words were oftenest right in training."""
    right, wrong = training
    scores = [
        sum(log((right[gram] + 1) / (wrong[gram] + 3)) for gram in ngrams(words))
        for words in candidates
    ]
    return scores.index(max(scores))


def share_right_by_counting(fours, labels):
    """How often a counter of words, trained on the first half, is right on the second."""
    half = len(fours) // 2
    right, wrong = Counter(), Counter()
    for candidates, label in zip(fours[:half], labels[:half], strict=True):
        for place, words in enumerate(candidates):
            (right if place == label else wrong).update(ngrams(words))
    hits = [
        chosen_by_counting((right, wrong), candidates) == label
        for candidates, label in zip(fours[half:], labels[half:], strict=True)
    ]
    return sum(hits) / len(hits)


def chance(n_items):
    """A quarter and three standard errors, on half of the items."""
    return 1 / 4 + 3 * sqrt(3 / 16 / (n_items - n_items // 2))


@pytest.mark.parametrize("kind", CHOICE_KINDS)
def test_whoever_counts_words_picks_the_right_answer_a_quarter_of_the_time(asked, kind):
    """Trained on half of the answers, a counter of words is at chance on the others."""
    own = [about for _, about in asked if about.kind == kind]
    fours, labels = [one.answers for one in own], [one.answer_label for one in own]

    assert share_right_by_counting(fours, labels) < chance(len(own))


@pytest.mark.parametrize("kind", CHOICE_KINDS)
def test_whoever_counts_words_picks_the_right_reason_a_quarter_of_the_time(asked, kind):
    """At chance as well."""
    own = [about for _, about in asked if about.kind == kind]
    fours, labels = [one.rationales for one in own], [one.rationale_label for one in own]

    assert share_right_by_counting(fours, labels) < chance(len(own))


def test_every_word_is_known_and_the_longest_sequence_fits(asked):
    """Question, right answer and any reason are at most 64 tokens, none of them unknown."""
    tokenizer = word_level_tokenizer(VOCABULARY, MAX_LENGTH)
    longest = 0
    for _, about in asked:
        parts = [about.question, *about.answers, *about.rationales]
        question, *rest = (
            tokenizer(spoken(words), add_special_tokens=False)["input_ids"] for words in parts
        )
        answers, reasons = rest[:N_CANDIDATES], rest[N_CANDIDATES:]
        assert tokenizer.unk_token_id not in {token for part in (question, *rest) for token in part}
        lengths = (len(question), max(map(len, answers)), max(map(len, reasons)))
        longest = max(longest, sum(lengths) + 4)  # [CLS] and three [SEP]
    assert 30 < longest <= MAX_LENGTH


def test_words_are_words_and_tags_are_numbers_of_objects(asked):
    """Every part is one word or mark of the vocabulary, or a tag of an object that is there."""
    for one, about in asked:
        for words in (about.question, *about.answers, *about.rationales):
            for part in words:
                if isinstance(part, str):
                    assert part in VOCABULARY
                else:
                    assert all(0 <= index < len(one.objects) for index in part)


def test_tags_are_spoken_from_one():
    """Object 0 is called [1], and several are joined by "and"."""
    assert spoken(("what", "do", (0,), "and", (4, 5), "share", "?")) == (
        "what do [1] and [5] and [6] share ?"
    )


def test_an_equal_generator_gives_equal_choices():
    """Candidates and their order are drawn from the generator alone; a kind can be left open."""
    one = scene(31)
    first, second = (choices(one, random.Random(2)) for _ in range(2))

    assert isinstance(first, Choices)
    assert first == second
    assert {choices(one, random.Random(seed)).kind for seed in range(60)} == set(CHOICE_KINDS)


def test_a_scene_that_does_not_offer_a_kind_gives_none():
    """Where all objects are of one size, none is larger."""
    alike = next(
        one for one in map(scene, range(500)) if len({item.size for item in one.objects}) == 1
    )

    assert choices(alike, random.Random(0), "size") is None

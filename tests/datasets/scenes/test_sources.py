"""Questions with sources: one source answers, and it takes place and picture to find it."""

import random
import re
from collections import Counter, defaultdict
from math import sqrt

import pytest

from tests.datasets.scenes import source_reader
from vl_core.datasets.scenes import ANSWERS, VOCABULARY, scene, sourced_question
from vl_core.datasets.scenes.sources import CATEGORIES
from vl_core.families.kdvlp.tokenization import word_level_tokenizer

MAX_LENGTH = 64  # tokens that the embedded model reads
N_SOURCES = 7


@pytest.fixture(scope="module")
def asked():
    """Questions with seven sources each, drawn from scenes of every canvas."""
    rng = random.Random(12)
    scenes = [scene(seed) for seed in range(3000)]
    drawn = [sourced_question(rng.sample(scenes, 50), rng, N_SOURCES) for _ in range(1600)]
    return [about for about in drawn if about]


@pytest.fixture(scope="module")
def read(asked):
    """Each question beside what a slow reader makes of it and of its sources."""
    return [
        (
            about,
            source_reader.question(about.text),
            [source_reader.source(one) for one in about.sources],
        )
        for about in asked
    ]


def gold(about):
    """The place of the one source that is marked as gold."""
    (place,) = (place for place, one in enumerate(about.sources) if one.is_gold)
    return place


def test_nearly_every_draw_finds_a_question_with_all_its_sources(asked):
    """Few scenes offer none, and no question comes with fewer sources than asked for."""
    assert len(asked) > 1550
    assert all(len(about.sources) == N_SOURCES for about in asked)


def test_only_the_gold_source_is_of_the_place_and_shows_what_is_asked_for(read):
    """Every other one is of another place, or shows nothing that the question could mean."""
    for about, wanted, sources in read:
        fulfil = [
            place
            for place, one in enumerate(sources)
            if one.place == wanted.place
            and any(source_reader.fits(shown, wanted.noun) for shown in one.objects)
        ]
        assert fulfil == [gold(about)], about.text


def test_the_answer_is_what_the_gold_source_says(read):
    """Read independently, off the picture's objects or out of the text."""
    for about, wanted, sources in read:
        assert source_reader.answer(wanted, sources[gold(about)]) == about.answer, about.text
        assert (wanted.category, wanted.place) == (about.category, about.place)


def test_distractors_sound_right_or_show_what_is_asked_for(read):
    """One of the place is like the gold source but for what it shows; elsewhere both occur."""
    for about, wanted, sources in read:
        kinds = Counter()
        for one, reading in zip(about.sources, sources, strict=True):
            shows = any(source_reader.fits(shown, wanted.noun) for shown in reading.objects)
            kinds[reading.place == wanted.place, shows, one.scene is None] += not one.is_gold
        by_text = about.by_text

        assert kinds[True, False, by_text] >= 1
        assert kinds[False, True, by_text] >= 1
        assert kinds[False, False, True] + kinds[False, False, False] >= 1


def test_place_alone_or_looks_alone_leave_several_sources(read):
    """Whoever goes by the place only, or by what is shown only, is right at most half the time."""
    by_place = [
        1 / sum(one.place == wanted.place for one in sources) for _, wanted, sources in read
    ]
    by_looks = [
        1
        / sum(
            any(source_reader.fits(shown, wanted.noun) for shown in one.objects) for one in sources
        )
        for _, wanted, sources in read
    ]

    for shares in (by_place, by_looks):
        assert max(shares) <= 1 / 2
        assert sum(shares) / len(shares) < 0.4


def test_the_gold_source_may_stand_anywhere(asked):
    """Each place is taken equally often, within four standard errors, by pictures and by texts."""
    for by_text in (False, True):
        places = Counter(gold(about) for about in asked if about.by_text == by_text)
        for place in range(N_SOURCES):
            share, expected = places[place] / places.total(), 1 / N_SOURCES
            assert abs(share - expected) < 4 * sqrt(expected * (1 - expected) / places.total())


def test_every_category_is_asked_and_answered_by_texts_and_pictures(asked):
    """None is rare, and gold and other sources are of both kinds."""
    counts = Counter((about.category, about.by_text) for about in asked)
    texts = Counter((one.is_gold, one.scene is None) for about in asked for one in about.sources)

    assert {category for category, _ in counts} == set(CATEGORIES)
    assert min(counts.values()) > 80
    for is_gold in (False, True):
        share = texts[is_gold, True] / (texts[is_gold, True] + texts[is_gold, False])
        assert 0.35 < share < 0.47


def test_answers_are_even(asked):
    """Yes as often as no; no color, shape or number is right nearly always."""
    by_category = defaultdict(Counter)
    for about in asked:
        by_category[about.category][about.answer] += 1
    most = {name: max(found.values()) / found.total() for name, found in by_category.items()}

    assert set(by_category["YesNo"]) == {"yes", "no"}
    assert most["YesNo"] < 0.6
    assert len(by_category["color"]) == len(by_category["shape"]) == 8
    assert max(most["color"], most["shape"], most["choose"]) < 0.2
    assert most["number"] < 0.55


def test_the_color_named_first_is_right_half_the_time(asked):
    """Of the two on offer."""
    first = [
        re.search(r"([a-z]+) or", about.text)[1] == about.answer
        for about in asked
        if about.category == "choose"
    ]

    assert abs(sum(first) / len(first) - 1 / 2) < 4 * sqrt(1 / 4 / len(first))


def test_texts_do_not_give_the_gold_source_away_by_their_length(asked):
    """Gold texts list as many objects as others do, but where objects are counted."""
    lengths = defaultdict(list)
    for about in asked:
        for one in about.sources:
            if one.scene is None and about.category != "number":
                lengths[one.is_gold].append(len(source_reader.source(one).objects))
    means = {is_gold: sum(found) / len(found) for is_gold, found in lengths.items()}

    assert abs(means[True] - means[False]) < 0.15


def test_the_sentence_answers_the_question_in_full(asked):
    """It names place and answer, and says the rest in the question's words."""
    said = {
        "color": r"the [a-z]+ in the .+ is ANSWER\.",
        "choose": r"the [a-z]+ in the .+ is ANSWER\.",
        "shape": r"the [a-z]+ object in the .+ is an? ANSWER\.",
        "YesNo": r"ANSWER, the [a-z]+ in the .+ is (small|large)\.",
        "number": r"there (is|are) ANSWER [a-z]+ in the .+\.",
    }
    for about in asked:
        pattern = said[about.category].replace("ANSWER", about.answer)
        assert re.fullmatch(pattern, about.sentence), about.sentence
        assert f"from the {about.place}" in about.sentence
        assert about.answer in ANSWERS
        if about.category == "YesNo":
            size = re.search(r"(small|large)\?", about.text)[1]
            assert (size in about.sentence) == (about.answer == "yes")
        if about.category == "number":
            assert ("there is 1 " in about.sentence) == (about.answer == "1")


def test_every_word_is_known_and_the_longest_sequence_fits(asked):
    """Question and source are at most 64 tokens, none of them unknown; articles fit."""
    tokenizer = word_level_tokenizer(VOCABULARY, MAX_LENGTH)
    longest = 0
    for about in asked:
        texts = [about.text, about.sentence, *(one.text for one in about.sources)]
        for text in texts:
            assert set(re.findall(r"[a-z]+|\d|[^\sa-z\d]", text)) <= set(VOCABULARY)
            assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text)
        encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in {token for part in encoded for token in part}
        longest = max(longest, len(encoded[0]) + max(map(len, encoded[2:])) + 3)
    assert 30 < longest <= MAX_LENGTH


def test_pictures_are_those_of_the_scenes_offered():
    """No scene is made up, and the least number of sources is met too."""
    offered = [scene(seed) for seed in range(40)]
    about = sourced_question(offered, random.Random(1), 4)

    assert len(about.sources) == 4
    assert all(one.scene in offered for one in about.sources if one.scene)


def test_an_equal_generator_gives_equal_questions():
    """Drawn from the generator and the scenes alone."""
    offered = [scene(seed) for seed in range(40)]
    first, second = (sourced_question(offered, random.Random(3)) for _ in range(2))

    assert first == second
    assert first is not None


def test_scenes_that_do_not_offer_a_question_give_none():
    """Of a single scene, no source can be without what it shows."""
    assert sourced_question([scene(2)], random.Random(0)) is None

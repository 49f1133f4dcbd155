"""Captions: true ones are true, wrong ones are false, and neither shows in its wording."""

import random
import re
from collections import Counter

import pytest

from tests.datasets.scenes import oracle
from vl_core.datasets.scenes import VOCABULARY, caption, scene, wrong_caption


@pytest.fixture(scope="module")
def captioned():
    """Scenes with a true and, where there is one, a wrong caption each."""
    rng = random.Random(6)
    scenes = [scene(seed) for seed in range(3000)]
    pairs = [(one, made) for one in scenes for made in (caption(one, rng), wrong_caption(one, rng))]
    return [(one, made) for one, made in pairs if made]


def test_captions_hold_exactly_when_they_say_so(captioned):
    """A slow reader of the text agrees, and finds none too close to call."""
    for one, made in captioned:
        assert oracle.is_true(one, made.text) == made.matches, (one, made.text)


def test_wrong_captions_are_nearly_always_found(captioned):
    """Wrong captions are about as many as true ones, so that a batch can hold both."""
    counts = Counter(made.matches for _, made in captioned)

    assert counts[True] == 3000
    assert counts[False] > 2700


def test_phrases_name_the_objects_that_their_words_fit(captioned):
    """Each phrase is cut from the text and names all objects that it fits, or none."""
    for one, made in captioned:
        for phrase in made.phrases:
            words = made.text[phrase.start : phrase.end]
            named = oracle.all_named(one, words)
            assert [one.objects[index] for index in phrase.objects] == named


def test_a_wrong_caption_differs_in_one_word_or_in_its_relation(captioned):
    """At most one phrase of a wrong caption fits nothing; with a turned relation all fit."""
    empty = Counter(
        sum(not phrase.objects for phrase in made.phrases)
        for _, made in captioned
        if not made.matches
    )

    assert set(empty) == {0, 1}
    assert min(empty.values()) > 200


def test_wording_does_not_tell_true_from_wrong(captioned):
    """The first two words and the relation are as frequent in wrong captions as in true ones."""
    for part in (r"^\w+ \w+", r"left of|right of|above|below|and"):
        counts = {True: Counter(), False: Counter()}
        for _, made in captioned:
            for found in set(re.findall(part, made.text)):
                counts[made.matches][found] += 1
        for words, count in counts[True].items():
            if count > 300:
                share = counts[False][words] / (count + counts[False][words])
                assert 0.4 < share < 0.6, words


def test_captions_are_sentences_of_known_words(captioned):
    """Every word is in the vocabulary, the article fits its noun, and a full stop ends it."""
    for _, made in captioned:
        assert set(re.findall(r"[a-z]+|[^\sa-z]", made.text)) <= set(VOCABULARY)
        assert made.text.endswith(".")
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", made.text)


def test_an_equal_generator_gives_equal_captions():
    """Captions are drawn from the generator alone."""
    one = scene(4)

    assert caption(one, random.Random(2)) == caption(one, random.Random(2))
    assert wrong_caption(one, random.Random(2)) == wrong_caption(one, random.Random(2))

"""Questions in other words: they mean the same, name the same, and keep some sentences unseen."""

import random
import re
from collections import Counter, defaultdict

import pytest

from tests.datasets.scenes import reworded
from vl_core.datasets.scenes import (
    CANVAS_SIZES,
    QUESTION_TYPES,
    VOCABULARY,
    Question,
    paraphrased,
    question,
    scene,
)
from vl_core.datasets.scenes.paraphrases import SYNONYMS
from vl_core.families.kdvlp.tokenization import word_level_tokenizer

MAX_LENGTH = 64  # tokens that the embedded model reads
WAYS = [(unseen, synonyms) for unseen in (False, True) for synonyms in (False, True)]


@pytest.fixture(scope="module")
def asked():
    """Scenes with a question of each type that they allow."""
    rng = random.Random(21)
    scenes = [scene(seed) for seed in range(200)]
    found = [
        (one, question(one, question_type, rng))
        for one in scenes
        for question_type in QUESTION_TYPES
    ]
    return [(one, about) for one, about in found if about]


@pytest.fixture(scope="module")
def put(asked):
    """Scene, question, and the question in other words: each in all four ways."""
    rng = random.Random(22)
    return [
        (one, about, paraphrased(about, rng, unseen=unseen, synonyms=synonyms))
        for one, about in asked
        for unseen, synonyms in WAYS
    ]


def named(about):
    """The phrases in plain singular words, with their objects, in no order."""
    return Counter(
        (
            reworded.singular(reworded.plain(about.text[phrase.start : phrase.end])),
            phrase.objects,
        )
        for phrase in about.phrases
    )


def sentence(about):
    """The text with its phrases left out, and no article of theirs."""
    text = about.text
    for phrase in reversed(about.phrases):
        text = f"{text[: phrase.start]}_{text[phrase.end :]}"
    return re.sub(r"\ban? _", "_", text)


def words(text):
    """Words, numbers and marks."""
    return re.findall(r"[a-z]+|\d|[^\sa-z\d]", text)


def test_the_answer_to_other_words_is_the_same(put):
    """Read independently against the scene, without doubt."""
    for one, about, other in put:
        assert reworded.answer(one, other.text) == about.answer == other.answer, (
            about.text,
            other.text,
        )


@pytest.mark.parametrize("size", CANVAS_SIZES)
def test_other_words_mean_the_same_on_every_canvas(size):
    """Halves, margins and distances are those of the actual canvas."""
    rng = random.Random(23)
    for seed in range(15):
        one = scene(seed, size)
        for question_type in QUESTION_TYPES:
            about = question(one, question_type, rng)
            for unseen in (False, True) if about else ():
                other = paraphrased(about, rng, unseen=unseen)
                assert reworded.answer(one, other.text) == about.answer, other.text


def test_type_answer_and_focus_stay(put):
    """Only the text and where its phrases stand change."""
    for _, about, other in put:
        assert isinstance(other, Question)
        assert (other.type, other.answer, other.focus) == (about.type, about.answer, about.focus)


def test_phrases_name_the_same_objects_in_the_same_or_other_words(put):
    """Cut from the text, each is a phrase of the question once its words are plain again."""
    for _, about, other in put:
        assert named(other) == named(about), (about.text, other.text)
        assert list(other.phrases) == sorted(other.phrases, key=lambda phrase: phrase.start)


def test_the_sentence_is_another_one(put):
    """No question is handed back as it came; "how large" alone may become "how big" again."""
    for number, (_, about, other) in enumerate(put):
        _, has_synonyms = WAYS[number % len(WAYS)]
        if not (has_synonyms and sentence(about) == "how big is the _?"):
            assert sentence(other) != sentence(about)


def test_every_type_has_several_sentences_for_training_and_two_that_it_never_sees(put):
    """What is unseen appears neither among those for training nor among the plain ones."""
    seen, unseen = defaultdict(set), defaultdict(set)
    for number, (_, about, other) in enumerate(put):
        is_unseen, has_synonyms = WAYS[number % len(WAYS)]
        seen[about.type].add(sentence(about))
        if not has_synonyms:
            (unseen if is_unseen else seen)[about.type].add(sentence(other))
    all_seen = set().union(*seen.values())

    for question_type in QUESTION_TYPES:
        assert len(seen[question_type]) >= 6
        assert len(unseen[question_type]) >= 2
        assert not unseen[question_type] & all_seen


def test_unseen_sentences_with_synonyms_are_unseen_too(put):
    """Exchanging words never leads back to a sentence that training sees."""
    seen, unseen = set(), set()
    for number, (_, about, other) in enumerate(put):
        is_unseen, _ = WAYS[number % len(WAYS)]
        seen.add(sentence(about))
        (unseen if is_unseen else seen).add(sentence(other))

    assert not unseen & seen


def test_unseen_sentences_are_made_of_words_that_training_sees(put):
    """A model that fails on them fails on sentences, not on words that it never learned."""
    seen, unseen = set(), set()
    for number, (_, about, other) in enumerate(put):
        is_unseen, _ = WAYS[number % len(WAYS)]
        seen.update(words(about.text))
        (unseen if is_unseen else seen).update(words(other.text))

    assert unseen <= seen


def test_every_synonym_is_used_and_only_where_asked_for(put):
    """Without synonyms the nouns stay, but for their number."""
    used = set()
    for number, (_, about, other) in enumerate(put):
        _, has_synonyms = WAYS[number % len(WAYS)]
        if has_synonyms:
            used.update(other.text.replace("furthest ", "furthest_").split(" "))
        else:
            for phrase in other.phrases:
                noun = reworded.singular(other.text[phrase.start : phrase.end])
                nouns = [
                    reworded.singular(about.text[one.start : one.end]) for one in about.phrases
                ]
                assert noun in nouns
    used = {word.strip(".,?") for word in used}

    for synonyms in SYNONYMS.values():
        assert {one.replace(" ", "_") for one in synonyms} <= used


def test_synonyms_differ_from_all_plain_words_and_from_each_other():
    """No word stands for two things."""
    offered = [one for synonyms in SYNONYMS.values() for one in synonyms]

    assert len(set(offered)) == len(offered)
    assert not set(offered) & (set(SYNONYMS) - {"larger"})


def test_every_word_is_known_and_articles_fit(put):
    """A model with this vocabulary never meets an unknown word, nor a text that is too long."""
    tokenizer = word_level_tokenizer(VOCABULARY, MAX_LENGTH)
    texts = sorted({other.text for _, _, other in put})
    encoded = tokenizer(texts)["input_ids"]

    assert max(map(len, encoded)) <= MAX_LENGTH
    assert tokenizer.unk_token_id not in {token for one in encoded for token in one}
    for text in texts:
        assert set(words(text)) <= set(VOCABULARY)
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text), text
        assert re.fullmatch(r"[^.?]+[.?]", text)
        assert "  " not in text


def test_an_equal_generator_gives_an_equal_paraphrase(asked):
    """Drawn from the generator alone."""
    for _, about in asked[:50]:
        first, second = (paraphrased(about, random.Random(4)) for _ in range(2))
        assert first == second


def test_a_sentence_that_is_not_a_plain_question_is_refused():
    """Nothing is guessed; the message quotes what came."""
    unknown = Question("color", "why is the star red?", "red", (), ())

    with pytest.raises(ValueError, match="why is the star red"):
        paraphrased(unknown, random.Random(0))

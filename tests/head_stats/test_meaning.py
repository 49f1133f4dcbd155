"""Whether a statistic means anything for a stack is told, and why not."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens, random_two_stream_trace
from tests.decoders import decoder_trace
from vl_core import head_stats
from vl_core.example import Region
from vl_core.head_stats.meaning import (
    NEEDED,
    OF_ALL,
    answer_as_text,
    rows_of_answer,
    telling_statistic,
    why_all,
    why_missing,
    why_undefined,
    why_zero,
)
from vl_core.head_stats.own import OwnStatistic
from vl_core.trace import TokenTable

ANSWER = "The words of the answer count as text: "


@pytest.fixture(scope="module")
def decoder():
    """Picture first, then words, causal; its tower; words that look at the tower."""
    return decoder_trace().stacks


@pytest.mark.parametrize("stack", ["language", "vision", "language<-vision"])
def test_what_is_undefined_has_no_value_and_all_else_has(decoder, stack):
    """Told by kinds and masks alone, it agrees with what is computed, statistic by statistic."""
    shown = decoder[stack]
    for statistic in head_stats.STATISTICS:
        if statistic.key not in NEEDED:
            continue
        values = statistic.of(shown)
        if why_undefined(statistic, shown):
            assert np.isnan(values).all(), statistic.key
        elif why_zero(statistic, shown):
            assert not np.nan_to_num(values).any(), statistic.key
        else:
            assert (values > 0).all(), statistic.key


def test_patches_cannot_look_at_words_that_come_later(decoder):
    """The picture comes first and nobody looks ahead: said of that direction and of no other."""
    shown = decoder["language"]

    forbidden = {key for key in NEEDED if why_zero(head_stats.by_key(key), shown)}

    assert forbidden == {f"image_to_text_{what}" for what in ("mass", "mean_weight", "lift")}
    assert "no patch may look at any word" in why_zero(head_stats.IMAGE_TO_TEXT_MASS, shown)
    assert "no patch may look" in why_missing(head_stats.IMAGE_TO_TEXT_LIFT, shown)


def test_where_all_may_look_everywhere_nothing_is_forbidden():
    """A model that looks both ways, and a causal one in which a word comes before the picture."""
    for mask in ("full", "causal"):
        stack = random_stack(queries=random_tokens(), mask=mask)
        assert not why_zero(head_stats.IMAGE_TO_TEXT_MASS, stack)


@pytest.mark.parametrize(
    ("stack", "statistic"),
    [
        ("language", head_stats.TEXT_TO_IMAGE_MASS),
        ("vision", head_stats.REACH),
        ("language<-vision", head_stats.TEXT_TO_IMAGE_MASS),
    ],
)
def test_what_tells_most_of_a_stack_has_values_in_it(decoder, stack, statistic):
    """Words at the picture where there are both, else how far patches look."""
    assert telling_statistic(decoder[stack]) is statistic
    assert np.isfinite(statistic.of(decoder[stack])).all()


@pytest.mark.parametrize("with_specials", [True, False])
@pytest.mark.parametrize("stack", ["language", "vision", "language<-vision"])
def test_what_all_attention_does_is_the_same_in_every_head_and_the_rest_is_not(
    decoder, stack, with_specials
):
    """Told by masks alone, it agrees with what is computed, statistic by statistic."""
    shown = decoder[stack]
    for key in OF_ALL:
        values = head_stats.by_key(key).of(shown, with_specials)
        if np.isnan(values).all() or not values.any():
            continue
        is_fixed = np.ptp(values, axis=1).max() < 1e-6
        said = why_all(head_stats.by_key(key), shown, with_specials=with_specials)
        assert bool(said) == is_fixed, key
        if said and key.endswith("mass"):
            assert values == pytest.approx(1, abs=1e-6)


def test_that_words_can_look_at_nothing_but_the_picture_is_said():
    """By what the tokens of the picture are; two directions where a statistic is about both."""
    words, patches = random_tokens(3, 0, 0), random_tokens(0, 2, 3, specials=False)
    across = random_stack(queries=words, keys=patches, streams=("language", "vision"))
    regions = replace(patches, texts=tuple(f"region {number}" for number in range(1, 7)))
    tower = random_stack(queries=random_tokens(0, 2, 3))

    assert "a word may look at nothing but patches" in why_all(
        head_stats.TEXT_TO_IMAGE_MASS, across
    )
    assert "a word may look at nothing but regions" in why_all(
        head_stats.CROSS_MODAL_MASS, replace(across, keys=regions)
    )
    assert not why_all(head_stats.IMAGE_TO_IMAGE_MASS, tower)
    assert "a patch may look at nothing but patches once special tokens are left out" in why_all(
        head_stats.IMAGE_TO_IMAGE_MASS, tower, with_specials=False
    )


def test_padding_is_nothing_that_a_word_may_look_at():
    """Else a padded batch would hide that all attention goes to the picture; then it tells nothing.

    What tells most of such a stack is how widely its heads look.
    """
    keys = random_tokens(0, 2, 3, padding=2, specials=False)
    words = random_tokens(3, 0, 0, specials=False)
    stack = random_stack(queries=words, keys=keys, streams=("language", "vision"))

    assert why_all(head_stats.TEXT_TO_IMAGE_LIFT, stack)
    assert telling_statistic(stack) is head_stats.ENTROPY


def test_a_stack_of_words_alone_tells_most_by_its_entropy():
    """Neither the picture nor distances in it are there."""
    text = random_stack(queries=random_tokens(rows=0, columns=0))

    assert telling_statistic(text) is head_stats.ENTROPY


def test_why_a_statistic_is_missing_is_said():
    """Boxes, words, patches, self-attention: what is lacking is named."""
    text = random_stack(queries=random_tokens(rows=0, columns=0))
    across = random_two_stream_trace().stacks["language<-vision"]

    assert "boxes" in why_missing(head_stats.GROUNDING, text)
    assert "no patches are looked at" in why_missing(head_stats.TEXT_TO_IMAGE_MASS, text)
    assert "no patches look" in why_missing(head_stats.IMAGE_TO_TEXT_MASS, text)
    assert "one stream looks at another" in why_missing(head_stats.DIAGONAL, across)
    assert "one stream looks at another" in why_missing(head_stats.PREVIOUS_TOKEN, across)
    assert "undefined" in why_missing(head_stats.ENTROPY, text)


def test_why_says_nothing_false_of_statistics_that_compare_no_places():
    """An entropy across streams, or one's own statistic whose key only looks like ours."""
    text = random_stack(queries=random_tokens(rows=0, columns=0))
    across = random_two_stream_trace().stacks["language<-vision"]
    own = OwnStatistic(
        key="image_to_noise",
        name="Noise",
        unit="bits",
        definition="What is left.",
        function=lambda *_: float("nan"),
    )

    assert "undefined" in why_missing(head_stats.ENTROPY, across)
    assert "undefined" in why_missing(own, text)
    assert "undefined" in why_missing(own, across)


def test_why_the_class_token_says_nothing():
    """No such token, left out, or nothing asked about whose place is known."""
    star = Region("star", (0.0, 0.0, 20.0, 16.0))
    statistic = head_stats.CLASS_AUC
    plain = random_stack(queries=random_tokens(specials=False), regions=(star,))

    assert "but none looks" in why_missing(statistic, plain)
    assert "objects that are asked about" in why_missing(statistic, random_stack())
    assert "left out without special" in why_missing(statistic, random_stack(regions=(star,)))


@pytest.mark.parametrize(
    ("statistic", "sides"),
    [
        (head_stats.TEXT_TO_IMAGE_LIFT, ("look",)),
        (head_stats.IMAGE_TO_TEXT_MASS, ("are looked at",)),
        (head_stats.TEXT_TO_TEXT_MEAN_WEIGHT, ("look", "are looked at")),
        (head_stats.INTRA_MODAL_MASS, ("look", "are looked at")),
        (head_stats.SPECIAL_SHARE, ("look",)),
        (head_stats.IMAGE_TO_IMAGE_MASS, ()),
        (head_stats.REACH, ()),
        (head_stats.ENTROPY, ()),
        (head_stats.GROUNDING, ()),
    ],
)
def test_it_is_said_how_much_of_the_text_is_the_models_own(decoder, statistic, sides):
    """Seven words were asked and three answered; the sign at the end is none."""
    told = " and ".join(f"3 of the 10 text tokens that {side}" for side in sides)

    wanted = f"{ANSWER}{told} were generated." if sides else ""
    assert answer_as_text(statistic, decoder["language"]) == wanted


def test_of_an_answer_in_a_stream_of_its_own_the_question_is_no_part():
    """Words that answer look at those that were asked."""
    words = [random_tokens(n, 0, 0, specials=False) for n in (5, 3)]
    said = TokenTable.of(words[1].texts, words[1].kinds, is_generated=np.ones(3, bool))
    stack = random_stack(queries=said, keys=words[0], streams=("answer", "question"))

    told = answer_as_text(head_stats.TEXT_TO_TEXT_MASS, stack)
    assert told == f"{ANSWER}3 of the 3 text tokens that look were generated."
    assert answer_as_text(head_stats.TEXT_TO_TEXT_MASS, random_stack()) == ""


def test_which_row_is_a_generated_words_is_said(decoder):
    """Its own; the prompt's last token predicts the first one, and may or may not be a word."""
    own = "The row of each is the one at its own position, which reads it and predicts the next"
    statistic = head_stats.TEXT_TO_IMAGE_MASS
    stack = decoder["language"]
    first = int(stack.queries.is_generated.argmax())
    before = {
        "text": "a word, whose row counts as well",
        "special": "a special token, whose row does not count",
        "image": "a patch, whose row is no word's",
    }

    for kind, said in before.items():
        kinds = list(stack.queries.kinds)
        kinds[first - 1] = kind
        tokens = replace(stack.queries, kinds=tuple(kinds))
        shown = random_stack(queries=tokens, mask="causal")
        assert rows_of_answer(statistic, shown) == f"{own}; the first is predicted at {said}."
    for other in (head_stats.IMAGE_TO_TEXT_MASS, head_stats.ENTROPY):
        assert rows_of_answer(other, stack) == ""
    assert rows_of_answer(statistic, random_stack()) == ""


def test_an_answer_without_a_prompt_has_no_token_before_it():
    """A stream that holds the answer alone."""
    words = random_tokens(3, 0, 0, specials=False)
    said = TokenTable.of(words.texts, words.kinds, is_generated=np.ones(3, bool))
    asked = random_tokens(5, 0, 0, specials=False)
    stack = random_stack(queries=said, keys=asked, streams=("answer", "question"))

    assert rows_of_answer(head_stats.TEXT_TO_TEXT_MASS, stack).endswith("predicts the next.")


def test_a_query_token_before_an_answer_is_called_so():
    """And so it is where a statistic needs them, on either side."""
    said = np.arange(4) == 3
    kinds = ["text", "image", "image", "text"]
    tokens = TokenTable.of(["what", "query 1", "query 2", "red"], kinds, is_generated=said)
    stack = random_stack(queries=tokens, mask="causal")

    told = rows_of_answer(head_stats.TEXT_TO_TEXT_MASS, stack)
    assert told.endswith("is predicted at a query token, whose row is no word's.")
    words = random_tokens(3, 0, 0)
    across = random_stack(queries=words, keys=tokens, streams=("language", "vision"))
    assert "no query tokens look" in why_missing(head_stats.IMAGE_TO_TEXT_MASS, across)
    assert "query tokens inside those places" in why_missing(head_stats.GROUNDING, across)

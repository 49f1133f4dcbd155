"""Which token of one example is which of another: against all subsequences, and case by case."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import random_tokens
from tests.decoders import language_tokens, patches, words
from vl_core.matched_tokens import longest_common, matched_tokens
from vl_core.trace import TokenTable


def longest_by_trying_all(one, other):
    """The length of the longest of all subsequences of the one that the other has, too."""
    return max(
        count
        for count in range(len(one) + 1)
        for some in combinations(one, count)
        if is_subsequence(some, other)
    )


def is_subsequence(some, whole):
    """Whether `whole` has all of them in this order."""
    rest = iter(whole)
    return all(one in rest for one in some)


def names(one, other):
    """The pairs by their texts, which are the same on both sides, with their positions."""
    pairs = matched_tokens(one, other)
    assert [one.texts[i] for i in pairs[:, 0]] == [other.texts[j] for j in pairs[:, 1]]
    return [(one.texts[i], int(i), int(j)) for i, j in pairs]


@given(st.text("abc", max_size=7), st.text("abcd", max_size=9))
def test_no_common_subsequence_is_longer(one, other):
    """Equal texts, in the order of both, each at most once, and as many as any way has."""
    pairs = longest_common(one, other)

    assert all(one[i] == other[j] for i, j in pairs)
    for side in zip(*pairs, strict=True):
        assert list(side) == sorted(set(side))
    assert len(pairs) == longest_by_trying_all(one, other)


def test_a_changed_word_leaves_all_others_matched():
    """What both begin and end with, and what lies between, whatever is put in or left out."""
    one = ["what", "color", "is", "the", "star", "left", "of", "the", "moon"]
    other = ["what", "size", "is", "the", "big", "star", "right", "of", "a", "moon", "?"]

    pairs = longest_common(one, other)

    assert [one[i] for i, _ in pairs] == ["what", "is", "the", "star", "of", "moon"]
    assert pairs == [(0, 0), (2, 2), (3, 3), (4, 5), (6, 7), (8, 9)]


def test_equal_lists_match_one_to_one_without_a_table():
    """Long prompts that differ in a word must not cost the square of their length."""
    long = [str(number) for number in range(200_000)]
    changed = [*long[:70_000], "other", "words", *long[70_001:]]

    pairs = longest_common(long, changed)

    assert len(pairs) == len(long) - 1
    assert pairs[-1] == (len(long) - 1, len(changed) - 1)


def test_words_specials_and_patches_find_their_like():
    """Texts of 4 and 6 words in front of the same 2 x 3 patches; padding has no counterpart."""
    one, other = random_tokens(4, 2, 3, padding=2), random_tokens(6, 2, 3, padding=1)

    assert names(one, other) == [
        ("[CLS]", 0, 0),
        ("is", 1, 1),
        ("the", 2, 2),
        ("red", 3, 3),
        ("star", 4, 4),
        ("[SEP]", 5, 7),
        *((f"patch {row}, {column}", 6 + i, 8 + i) for i, (row, column) in enumerate(GRID)),
    ]


GRID = [(row, column) for row in (1, 2) for column in (1, 2, 3)]


def test_words_are_not_matched_with_specials_nor_with_words_of_the_answer():
    """A question that says "red" has not the "red" that the model answered."""
    asked = words(["red", "[SEP]"])
    answered = TokenTable.of(["red"], ["text"], is_generated=np.array([True]))
    closed = words(["[SEP]"], "special")

    one = TokenTable.joined([asked, closed])
    other = TokenTable.joined([closed, answered])

    assert names(one, other) == [("[SEP]", 2, 0)]
    assert names(TokenTable.joined([answered, asked]), answered) == [("red", 0, 0)]


def test_patches_are_the_same_only_in_the_same_box_and_view():
    """Another grid over the same picture has no counterpart but where an edge falls together."""
    whole = patches((2, 3), (60, 32), "whole")

    assert matched_tokens(whole, patches((2, 3), (60, 32), "tile")).tolist() == []
    assert matched_tokens(whole, patches((2, 3), (120, 64), "whole")).tolist() == []
    assert matched_tokens(whole, patches((4, 3), (60, 32), "whole")).tolist() == []
    half = patches((2, 1), (60, 32), "whole", left=1 / 3, right=2 / 3)
    assert matched_tokens(whole, half).tolist() == [[1, 0], [4, 1]]


def test_boxes_that_a_detector_found_are_found_in_any_order_and_each_once():
    """One box twice in the one and once in the other is one pair."""
    boxes = np.array([[0, 0, 9, 9], [5, 5, 20, 8], [0, 0, 9, 9.0]])
    one = TokenTable.of(["region"] * 3, ["image"] * 3, boxes)
    other = TokenTable.of(["region"] * 3, ["image"] * 3, boxes[[1, 0, 1]] + 0.001)

    assert matched_tokens(one, other).tolist() == [[0, 1], [1, 0]]


def test_tokens_of_the_image_without_a_place_go_by_their_texts():
    """The query tokens of a Q-Former are numbered."""
    queries = words(["query 1", "query 2", "query 3"], "image")

    assert matched_tokens(queries, queries.chosen(slice(1, 3))).tolist() == [[1, 0], [2, 1]]


@pytest.mark.parametrize("question", ["is the star red", "the red star"])
def test_the_answers_of_a_decoder_are_matched_by_themselves(question):
    """Question and answer have words in common, and each stays with its own."""
    one = language_tokens(question=question, answer=("the", "star", "</s>"))
    other = language_tokens(question="star of the sea", answer=("a", "star", "</s>"))

    pairs = matched_tokens(one, other)

    assert (one.is_generated[pairs[:, 0]] == other.is_generated[pairs[:, 1]]).all()
    answered = pairs[one.is_generated[pairs[:, 0]]]
    assert [one.texts[i] for i in answered[:, 0]] == ["star", "</s>"]

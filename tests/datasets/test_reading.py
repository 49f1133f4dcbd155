"""Passing over what is damaged, and counting it."""

import numpy as np
import pytest

from tests.datasets.webqa_files import (
    FIRST,
    encoded,
    guid,
    labeled,
    picture,
    row,
    write_questions,
    write_rows,
)
from vl_core.datasets.items import Asked, Option
from vl_core.datasets.reading import Skipped, answer, items, readable, scores
from vl_core.datasets.webqa import WebQA
from vl_core.errors import ModelError, TextError
from vl_core.example import Example


def data_set(folder):
    """Three questions, the second one damaged; of the third two of five pictures."""
    questions = [
        labeled(0),
        labeled(1, Q=5),
        labeled(
            2,
            img_posFacts=[picture(one) for one in range(5)],
            img_negFacts=[],
        ),
    ]
    rows = [row(number, encoded(20 + number, 17)) for number in range(5)]
    rows[1] = row(1, encoded(21, 17)[:40])
    rows[3] = row(0, encoded(23, 17))
    write_rows(folder, rows)
    return WebQA(write_questions(folder / "val.json", questions))


def test_items_that_can_be_read_come_in_order(tmp_path):
    """The others are noted with their number and the reason."""
    skipped = []
    found = list(items(data_set(tmp_path), skipped))
    assert [item.name for item in found] == [guid(0), guid(2)]
    ((name, reason),) = [(one.name, one.reason) for one in skipped]
    assert name == "item 1"
    assert guid(1) in reason


def test_options_that_can_be_read_keep_their_places(tmp_path):
    """The others are added to those that were skipped before."""
    asked = data_set(tmp_path)[2].asked[0]
    before = Skipped("item 7", "gone")
    skipped = [before]
    found = dict(readable(asked, skipped))
    assert skipped[0] is before
    assert {one.name for one in skipped[1:]} == {str(FIRST + 1), str(FIRST + 3)}
    assert len(found) == len(asked.options) - 2 == 7
    for place, example in found.items():
        assert example.parts[1] == asked.options[place].title
        assert example.size in (None, (20 + int(asked.options[place].name[-1]), 17))


def test_options_are_read_one_at_a_time():
    """Thirty photographs do not fit the memory."""
    read = []

    def option(name):
        return Option(name, name, lambda: read.append(name) or Example(None, name))

    found = readable(Asked("sources", "which?", tuple(map(option, "abc"))), [])
    for number in range(3):
        assert read == list("abc"[:number])
        assert next(found)[0] == number


def test_scores_have_a_gap_where_nothing_could_be_read(tmp_path):
    """Or where the model could not read the example."""
    asked = data_set(tmp_path)[2].asked[0]

    def score(example):
        if example.size == (24, 17):
            raise TextError("too long")
        return float(0 if example.size is None else example.size[0])

    skipped = []
    found = scores(asked, score, skipped)
    expected = [
        (0 if "_" in one.name else 20 + int(one.name[-1]))
        if one.name not in {str(FIRST + bad) for bad in (1, 3, 4)}
        else np.nan
        for one in asked.options
    ]
    np.testing.assert_array_equal(found, expected)
    assert sorted(one.name for one in skipped) == [str(FIRST + bad) for bad in (1, 3, 4)]


def test_a_model_that_cannot_score_is_not_passed_over(tmp_path):
    """It would fail on every option."""

    def score(example):
        raise ModelError(f"no way to judge a {example.task}")

    with pytest.raises(ModelError, match="judge a source"):
        scores(data_set(tmp_path)[2].asked[0], score, [])


def lacking(name, text):
    """An option whose example lacks two boxes, one of which all options of its item lack."""
    return Option(name, name, lambda: Example(None, text), lambda size: (f"{size} a", f"b {name}"))


def test_what_examples_lack_is_told_once():
    """Nobody has to want it; what could not be read is another matter."""
    asked = Asked("candidates", "which?", (lacking("0", "x"), lacking("1", ""), lacking("2", "z")))
    skipped, left_out = [], {"before": None}

    found = scores(asked, lambda example: ord(example.text), skipped, left_out)

    np.testing.assert_array_equal(found, [ord("x"), np.nan, ord("z")])
    assert list(left_out) == ["before", "None a", "b 0", "b 2"]
    assert [one.name for one in skipped] == ["1"]
    assert scores(asked, lambda _: 7.0, [])[0] == 7


def test_an_answer_is_what_the_model_says():
    """Or nothing, where the example cannot be read, by us or by the model."""
    skipped, left_out = [], {}

    def said(example):
        if example.text == "too long":
            raise TextError("of 9 words")
        return example.text.upper()

    asked = [Asked("question", "?", (lacking("0", text),)) for text in ("dog", "too long", "")]
    assert [answer(one, said, skipped, left_out) for one in asked] == ["DOG", None, None]
    assert skipped[0].reason == "of 9 words"
    assert len(skipped) == 2
    assert list(left_out) == ["None a", "b 0"]

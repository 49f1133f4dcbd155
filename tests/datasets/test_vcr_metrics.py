"""VCR's three shares, and the file for its leaderboard, against plain loops."""

import csv
import math
from itertools import pairwise

import numpy as np
import pytest

from vl_core.datasets.scored import Scored, figures
from vl_core.datasets.vcr import Accuracy, accuracy, write_submission
from vl_core.errors import DatasetError, EmptySelectionError


def test_the_three_shares_are_those_of_a_plain_count():
    """A right answer, a right rationale, and both of one item."""
    rng = np.random.default_rng(3)
    answers, rationales = rng.normal(size=(2, 97, 4))
    labels = rng.integers(0, 4, size=(2, 97))
    right = [0, 0, 0]
    for item in range(97):
        hits = []
        for scores, label in (
            (answers[item], labels[0, item]),
            (rationales[item], labels[1, item]),
        ):
            best = 0
            for candidate in range(4):
                if scores[candidate] > scores[best]:
                    best = candidate
            hits.append(best == label)
        for place, hit in enumerate((*hits, all(hits))):
            right[place] += hit

    found = accuracy(answers, labels[0], rationales, labels[1])

    assert found == pytest.approx([count / 97 for count in right])
    assert len(set(right)) == 3


def test_all_right_and_all_wrong():
    """The ends of the scale."""
    scores, labels = np.eye(4)[[2, 0, 3]], np.array([2, 0, 3])

    assert accuracy(scores, labels, scores, labels) == Accuracy(1, 1, 1)
    assert accuracy(scores, labels, scores, (labels + 1) % 4) == Accuracy(1, 0, 0)


@pytest.mark.parametrize("label", range(4))
def test_a_model_that_scores_all_alike_stands_at_chance(label):
    """Wherever the right one stands: a quarter, a quarter, a sixteenth."""
    labels = np.full(5, label)
    found = accuracy(np.zeros((5, 4)), labels, np.full((5, 4), -3.0), labels)
    assert found == Accuracy(1 / 4, 1 / 4, 1 / 16)


@pytest.mark.parametrize("seed", range(5))
def test_equal_scores_are_counted_by_one_rule(seed):
    """The same figures as `score` tells of the same scores, of which many are equal."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, size=(2, 31, 4)).astype(float)
    labels = rng.integers(0, 4, size=(2, 31))
    known = [
        Scored(number, f"val-{number}", place, name, tuple(scores[place, number]), (label,))
        for place, name in enumerate(("Q->A", "QA->R"))
        for number, label in enumerate(labels[place].tolist())
    ]

    found = accuracy(scores[0], labels[0], scores[1], labels[1])

    told = dict(figures("VCR", known))
    assert found == pytest.approx((told["Q->A"], told["QA->R"], told["Q->AR"]))
    assert not (found.answers * 31).is_integer()  # ties were among them


def test_nothing_and_no_numbers_are_refused():
    """Neither has a share."""
    none = np.zeros((0, 4)), np.zeros(0, int)
    with pytest.raises(EmptySelectionError, match="no item"):
        accuracy(*none, *none)
    scores = np.array([[0.1, np.nan, 0.3, 0.2], [0.1, 0.2, 0.3, 0.4]])
    with pytest.raises(DatasetError, match="1 item with scores that are no numbers"):
        accuracy(scores, np.array([0, 1]), np.eye(4)[:2], np.array([0, 1]))


NAMES = ("test-10", "test-2", "test-0")


def scored(count, seed=0):
    """Scores of that many items, too large for a softmax that is done without care."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 4)) * 900, rng.normal(size=(count, 4, 4)) * 3


def test_the_file_has_a_row_of_probabilities_for_each_item(tmp_path):
    """21 columns, by the number in the name; four sum to one, and the likeliest is the best."""
    answers, rationales = scored(3)
    write_submission(tmp_path / "a.csv", NAMES, answers, rationales)
    with (tmp_path / "a.csv").open(newline="") as file:
        header, *rows = csv.reader(file)

    assert header[:5] == ["annot_id", "answer_0", "answer_1", "answer_2", "answer_3"]
    assert header[5:] == [
        f"rationale_conditioned_on_a{given}_{one}" for given in range(4) for one in range(4)
    ]
    assert [row[0] for row in rows] == ["test-0", "test-2", "test-10"]
    for row, item in zip(rows, (2, 1, 0), strict=True):
        blocks = [answers[item], *rationales[item]]
        for block, scores in enumerate(blocks):
            found = [float(value) for value in row[1 + 4 * block : 5 + 4 * block]]
            grown = [math.exp(score - max(scores)) for score in scores]
            assert found == pytest.approx([one / sum(grown) for one in grown])
            assert np.argmax(found) == np.argmax(scores)


def test_the_file_is_written_whole_or_not_at_all(tmp_path):
    """An older one stays where the new one is refused, and nothing lies beside it."""
    path = tmp_path / "a.csv"
    write_submission(path, NAMES, *scored(3))
    before = path.read_bytes()
    with pytest.raises(DatasetError, match="no finite numbers"):
        write_submission(path, NAMES, scored(3)[0] * np.inf, scored(3)[1])
    assert path.read_bytes() == before
    write_submission(path, NAMES, *scored(3, seed=1))

    assert path.read_bytes() != before
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("test-1", "test-2", "test-1"), "2 items have the number 1"),
        (("test-1", "test-2", "=1+1"), "'=1\\+1' is no item of VCR's"),
        (("test-1", "test-2", "test-3,4"), "is no item"),
    ],
)
def test_strange_names_are_refused(tmp_path, names, message):
    """What comes twice, and what a spreadsheet would compute."""
    with pytest.raises(DatasetError, match=message):
        write_submission(tmp_path / "a.csv", names, *scored(3))
    assert not list(tmp_path.iterdir())


def test_rows_are_sorted_by_number_and_not_by_letter(tmp_path):
    """Thousands of them."""
    numbers = np.random.default_rng(5).permutation(1200)
    names = [f"test-{number}" for number in numbers]
    write_submission(tmp_path / "a.csv", names, *scored(1200))
    rows = (tmp_path / "a.csv").read_text().splitlines()[1:]

    found = [int(row.split(",")[0].removeprefix("test-")) for row in rows]
    assert all(after == before + 1 for before, after in pairwise(found))

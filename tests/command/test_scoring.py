"""Scoring from the command line: the figures of a task, and files that can be gone on with."""

import csv
import json

import numpy as np
import pytest

from tests.command.conftest import ITEMS
from vl_core import datasets
from vl_core.command import main
from vl_core.datasets import scored
from vl_core.datasets.scored import Scored, ScoreFile
from vl_core.errors import DatasetError


def one(number, place, name, scores, right):
    """Scores of a question."""
    return Scored(number, f"item {number}", place, name, tuple(scores), right)


def test_the_figures_of_multiple_choice():
    """By hand: two of three answers, one of three rationales, and one item with both."""
    answers = [[0, 3, 1, 2], [5, 1, 1, 1], [0, 0, 0, 9]]
    rationales = [[9, 1, 1, 1], [0, 7, 1, 1], [1, 2, 3, 0]]
    labels = [(1,), (2,), (3,)], [(0,), (0,), (0,)]
    known = [
        one(number, place, name, scores[number], labels[place][number])
        for number in range(3)
        for place, (name, scores) in enumerate((("Q->A", answers), ("QA->R", rationales)))
    ]

    found = dict(scored.figures("VCR", known))

    assert found == pytest.approx({"Q->A": 2 / 3, "QA->R": 1 / 3, "Q->AR": 1 / 3})


def test_the_figures_of_sources():
    """With a threshold of one's own, or the best on these questions, which is said."""
    known = [
        one(0, 0, "sources", [3, -1, 0.5], (0, 2)),
        one(1, 0, "sources", [-2, np.nan, 4, 1], (3,)),
    ]

    own = dict(scored.figures("WebQA", known, threshold=0.7))
    best = dict(scored.figures("WebQA", known))

    # Of the first one hit, one missed; of the second one hit beside one that is wrong.
    assert own["retrieval F1"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert own["best source is right"] == 0.5
    assert own["threshold"] == 0.7
    assert best["retrieval F1"] >= own["retrieval F1"]
    assert "threshold, the best on these questions" in best


def test_questions_without_a_truth_have_no_figures():
    """And a question of which nothing could be read is none that was answered wrongly."""
    hidden = one(0, 0, "Q->A", [1, 2, 3, 4], None)
    unread = one(1, 0, "Q->A", [np.nan] * 4, (1,))

    assert scored.figures("VCR", [hidden, unread]) == []
    assert (hidden.is_right, unread.is_right, unread.best) == (None, None, None)


def test_a_set_is_scored_and_gone_on_with(vcr, tmp_path, capsys):
    """The embedded model is right on generated scenes; scores of before are not made again."""
    arguments = ["score", str(vcr / "val.jsonl"), "--to", str(tmp_path / "a.jsonl")]
    main([*arguments, "--limit", "1"])
    first = (tmp_path / "a.jsonl").read_text(encoding="utf-8")
    with (tmp_path / "a.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"number": 2, "item"\n')  # as a stopped run may leave it

    main(arguments)

    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8")
    assert lines.startswith(first)
    assert len(lines.splitlines()) == 1 + 2 * ITEMS + 1
    told = capsys.readouterr().out
    assert "Q->AR: 1.0000" in told
    assert f"{2 * ITEMS} questions scored, 0 of their parts" in told


def test_scores_of_another_set_are_refused(vcr, webqa, tmp_path):
    """They would be mixed up."""
    main(["score", str(vcr), "--to", str(tmp_path / "a.jsonl"), "--limit", "1"])

    with pytest.raises(SystemExit, match="something else than scores of this set"):
        main(["score", str(webqa), "--to", str(tmp_path / "a.jsonl")])


def test_a_file_keeps_scores_as_they_are(tmp_path):
    """Also what could not be read, and what is not known."""
    kept = [
        one(3, 0, "sources", [0.1, np.nan], (1,)),
        one(4, 1, "Q->A", [1.5, -2.25, 0], None),
    ]
    file = ScoreFile(tmp_path / "a.jsonl", {"data": "a"})
    for each in kept:
        file.append(each)

    found = ScoreFile(tmp_path / "a.jsonl", {"data": "a"}).read()

    np.testing.assert_equal([each.scores for each in found], [each.scores for each in kept])
    assert [each.right for each in found] == [(1,), None]
    with pytest.raises(DatasetError, match="Name another file"):
        ScoreFile(tmp_path / "a.jsonl", {"data": "b"})


def test_a_submission_has_a_row_for_each_item(vcr, tmp_path, capsys):
    """Of the split that tells nothing; it has no figures."""
    main(["score", str(vcr / "test.jsonl"), "--submission", str(tmp_path / "a.csv")])

    with (tmp_path / "a.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == ITEMS
    for row in rows:
        answers = [float(row[f"answer_{place}"]) for place in range(4)]
        assert sum(answers) == pytest.approx(1)
    assert "does not tell what is right" in capsys.readouterr().out


def test_only_whole_test_splits_are_submitted(vcr, tmp_path):
    """Validation has rationales for the right answer only."""
    with pytest.raises(SystemExit, match="Score the whole test split"):
        main(["score", str(vcr / "val.jsonl"), "--submission", str(tmp_path / "a.csv")])


def test_a_submission_names_the_sources_above_the_threshold(webqa, tmp_path):
    """For every question; where the threshold lies must be said."""
    arguments = ["score", str(webqa), "--split", "val", "--submission", str(tmp_path / "a.json")]
    with pytest.raises(SystemExit, match="give it with --threshold"):
        main(arguments)

    main([*arguments, "--threshold", "0", "--to", str(tmp_path / "a.jsonl")])

    told = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    data = datasets.open(webqa)
    _, *lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    scores = [json.loads(line)["scores"] for line in lines]
    for number, item in enumerate(data):
        sources = data.question(number).sources
        wanted = [s.number for s, score in zip(sources, scores[number], strict=True) if score > 0]
        assert told[item.name] == {"sources": wanted, "answer": ""}
    assert any(one["sources"] for one in told.values())


def test_only_whole_sets_are_submitted(webqa, folder_of_words, tmp_path):
    """Of WebQA all questions, and of other sets there is no server."""
    with pytest.raises(SystemExit, match=f"{ITEMS - 1} of {ITEMS} questions are not scored"):
        main(
            [
                *("score", str(webqa), "--limit", "1", "--threshold", "0"),
                *("--submission", str(tmp_path / "a.json")),
            ]
        )
    with pytest.raises(SystemExit, match="no submission file of scores for a set of the kind"):
        main(["score", str(folder_of_words), "--submission", str(tmp_path / "a.json")])
    assert not (tmp_path / "a.json").exists()


def test_sources_are_scored(webqa, tmp_path, capsys):
    """Five to a question."""
    main(["score", str(webqa), "--to", str(tmp_path / "a.jsonl")])

    _, *lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert [len(json.loads(line)["scores"]) for line in lines] == [5] * ITEMS
    assert "retrieval F1" in capsys.readouterr().out

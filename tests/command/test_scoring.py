"""Scoring from the command line: the figures of a task, and files that can be gone on with."""

import csv
import json
from shutil import copy

import numpy as np
import pytest

from tests.command.conftest import ITEMS
from vl_core import datasets
from vl_core.command import main, model_choice
from vl_core.datasets import scored
from vl_core.datasets.score_file import ScoreFile
from vl_core.datasets.scored import Answered, Scored
from vl_core.errors import DatasetError, ModelError
from vl_core.model import Model


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
    assert (hidden.is_right, unread.is_right, unread.top) == (None, None, ())


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
    assert f"{2 * ITEMS} questions scored, 0 items or options could not be read" in told


def test_questions_that_are_in_no_figure_are_counted(vcr, tmp_path, capsys):
    """Those of which a right option got no score, as a file of scores keeps them."""
    arguments = ["score", str(vcr / "val.jsonl"), "--to", str(tmp_path / "a.jsonl")]
    main([*arguments, "--limit", "2"])
    assert "left out" not in capsys.readouterr().out
    first, line, *others = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    told = json.loads(line)
    told["scores"][told["right"][0]] = None
    kept = "\n".join([first, json.dumps(told), *others, ""])
    (tmp_path / "a.jsonl").write_text(kept, encoding="utf-8")

    main([*arguments, "--limit", "2"])

    told = capsys.readouterr().out
    assert "QA->R: 1.0000 (over 2 questions)" in told
    assert "(over 1 question, 1 left out: a right option there has no score)" in told


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
        Answered(5, "\ud800", 0, "question", "a “star”\n", answer="star", is_cut_off=True),
    ]
    file = ScoreFile(tmp_path / "a.jsonl", {"data": "a"})
    for each in kept:
        file.append(each)

    found = ScoreFile(tmp_path / "a.jsonl", {"data": "a"}).read()

    np.testing.assert_equal([each.scores for each in found[:2]], [each.scores for each in kept[:2]])
    assert [each.right for each in found[:2]] == [(1,), None]
    assert found[2:] == kept[2:]
    with pytest.raises(DatasetError, match="Name another file"):
        ScoreFile(tmp_path / "a.jsonl", {"data": "b"})


ROWS = [
    {"question": "is there a star?", "answer": "Yes!"},
    {"question": "is there a star?", "answer": "no"},
    {"question": "what is it?"},
    {"question": "is there a star?", "candidates": ["yes", "no"], "answer": "yes"},
    {"question": "is there a star?", "answer": "yes", "image": "nowhere.png"},
    {"question": "is there a star?", "candidates": ["yes"], "answer": "yes"},
    {"question": "is there a star?", "answer": "yes", "boxes": [[1, 1, 9, 9], [1, 1, 9000, 9]]},
]


@pytest.fixture
def questions(tmp_path, folder_of_words):
    """Rows with and without candidates and answers, about one picture."""
    copy(folder_of_words.parent / "a.png", tmp_path / "a.png")
    rows = "\n".join(json.dumps({"image": "a.png"} | row) for row in ROWS)
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    return tmp_path / "rows.jsonl"


def test_questions_without_candidates_are_asked_and_compared(questions, capsys):
    """Where the set has an answer, and beside those with candidates; nobody has to say so."""
    main(["score", str(questions)])

    told = capsys.readouterr()
    # The gallery's first picture has a star, and the embedded model says so.
    assert f"answers: {2 / 3:.4f} (over 3 questions)" in told.out
    assert "another word of the same meaning counts as wrong" in told.out
    assert "candidates: " in told.out
    assert "1 question scored, 3 answered, 1 item or option could not be read" in told.out
    assert "1 not asked: one option only, and nothing to choose" in told.out
    assert "1 not asked: without candidates, and no answer of the set's own" in told.out
    assert "nowhere.png cannot be read" in told.err
    assert "1 could not be read:" in told.err
    assert "cut off" not in told.out
    assert "1 box left out, as it is no place in its picture:" in told.err
    assert "line 7 of rows.jsonl: Region box 2 has the box (1.0, 1.0, 9000.0, 9.0)" in told.err


def test_answers_are_gone_on_with(questions, tmp_path, capsys, monkeypatch):
    """None is asked again, and they count."""
    arguments = ["score", str(questions), "--to", str(tmp_path / "a.jsonl")]
    main([*arguments, "--limit", "2"])
    first = (tmp_path / "a.jsonl").read_text(encoding="utf-8")
    assert "answers: 0.5000 (over 2 questions)" in capsys.readouterr().out
    asked, answer = [], Model.answer
    monkeypatch.setattr(Model, "answer", lambda *a: asked.append(a[1].text) or answer(*a))

    main(arguments)

    assert (tmp_path / "a.jsonl").read_text(encoding="utf-8").startswith(first)
    assert len(asked) == 1
    assert f"answers: {2 / 3:.4f} (over 3 questions)" in capsys.readouterr().out


@pytest.fixture
def refusals(monkeypatch):
    """A model that answers nothing: the questions that it refused."""
    asked = []

    def refuse(_, example):
        asked.append(example.text)
        raise ModelError("This model answers no questions.")

    monkeypatch.setattr(Model, "answer", refuse)
    return asked


def test_a_model_that_answers_nothing_has_the_figures_of_candidates(
    questions, tmp_path, capsys, refusals
):
    """It is not asked twice, and a run is gone on with."""
    arguments = ["score", str(questions), "--to", str(tmp_path / "a.jsonl")]
    for _ in range(2):
        main(arguments)

        told = capsys.readouterr().out
        assert "candidates: 1.0000 (over 1 question)" in told
        assert "4 not answered: without candidates. This model answers no questions." in told
        assert "1 not asked: without candidates" in told
    assert len(refusals) == 2
    assert len((tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.usefixtures("refusals")
def test_a_model_that_answers_nothing_is_told_in_one_line(questions):
    """With the set that wants it, where there is nothing else."""
    rows = [json.dumps({"image": "a.png"} | row) for row in ROWS if "candidates" not in row]
    questions.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(
        SystemExit,
        match=r"score: rows\.jsonl has a question without candidates, item 0\. This model answers",
    ):
        main(["score", str(questions)])


def test_a_set_that_tells_no_answer_has_no_figure(questions, capsys, monkeypatch):
    """And nothing is asked in vain."""
    questions.write_text(json.dumps({"image": "a.png"} | ROWS[2]), encoding="utf-8")
    monkeypatch.setattr(Model, "answer", None)

    main(["score", str(questions)])

    told = capsys.readouterr().out
    assert "The set does not tell what is right, so there is no figure." in told
    assert "1 not asked" in told


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"question": "is there a star?", "answer": "no", "image": "nowhere.png"}),
        json.dumps({"question": "a star?", "image": "a.png", "candidates": ["no"], "answer": 0}),
        json.dumps({"question": "a star?", "image": "a.png", "candidates": ["no"], "answer": 7}),
    ],
    ids=["no picture", "one option", "damaged"],
)
def test_a_set_of_which_nothing_could_be_judged_is_not_said_to_tell_nothing(
    questions, capsys, content
):
    """Its answers are told, or nobody knows whether they are."""
    questions.write_text(content, encoding="utf-8")

    main(["score", str(questions)])

    told = capsys.readouterr().out
    assert "does not tell" not in told
    assert "No question whose right answer is told could be judged, so there is no" in told


def test_no_model_is_run_on_tensors_of_another(tmp_path, monkeypatch):
    """None is even loaded."""
    monkeypatch.setattr(model_choice, "loaded", None)
    attention = np.random.default_rng(0).dirichlet(np.ones(3), size=(2, 1, 3))
    np.savez(tmp_path / "1.npz", attention=attention, tokens=["is", "it", "patch"], n_text=2)
    with pytest.raises(SystemExit, match="holds what a model of its own did, and no other is run"):
        main(["score", str(tmp_path)])


@pytest.mark.parametrize("kept", [25, 45, -1, -20])
def test_a_line_that_was_cut_short_takes_none_with_it(tmp_path, kept):
    """Wherever it was cut; what is added later begins a line of its own."""
    first, second, third = (one(number, 0, "Q->A", [1, 2], (1,)) for number in range(3))
    file = ScoreFile(tmp_path / "a.jsonl", {"data": "a"})
    file.append(first)
    before = (tmp_path / "a.jsonl").stat().st_size
    file.append(second)
    whole = (tmp_path / "a.jsonl").read_bytes()
    (tmp_path / "a.jsonl").write_bytes(whole[: before + kept] if kept > 0 else whole[:kept])

    file = ScoreFile(tmp_path / "a.jsonl", {"data": "a"})
    for each in (second, third):
        file.append(each)

    found = [each for each in file.read() if each.number != 1 or each == second]
    assert {each.number for each in found} == {0, 1, 2}
    assert (tmp_path / "a.jsonl").read_bytes().startswith(whole[: before + 1])


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"[" * 100_000, b"[1]\n"])
def test_what_is_no_file_of_scores_is_refused(tmp_path, content):
    """In a sentence; it is not written to."""
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(DatasetError, match=r"a\.jsonl holds something else than scores"):
        ScoreFile(tmp_path / "a.jsonl", {"data": "a"})
    assert (tmp_path / "a.jsonl").read_bytes() == content


def test_a_file_of_scores_says_what_it_differs_in(vcr, tmp_path):
    """A set that was edited since is another one."""
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "vcr1images").symlink_to(vcr / "vcr1images")
    content = (vcr / "val.jsonl").read_bytes()
    (folder / "val.jsonl").write_bytes(content)
    arguments = ["score", str(folder), "--to", str(tmp_path / "a.jsonl"), "--limit", "1"]
    main(arguments)
    (folder / "val.jsonl").write_bytes(content.replace(b"red", b"tan"))
    with pytest.raises(SystemExit, match="it differs in files"):
        main(arguments)


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


def test_a_submission_of_which_an_item_is_damaged_is_refused(vcr, tmp_path):
    """Though all that could be read is scored."""
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "vcr1images").symlink_to(vcr / "vcr1images")
    first, second, *_ = (vcr / "test.jsonl").read_text(encoding="utf-8").splitlines()
    (folder / "test.jsonl").write_text(f"{first}\n{second}\n{second[:50]}\n", encoding="utf-8")

    with pytest.raises(SystemExit, match=r"1 of 3 questions has no score, the first .* item 2"):
        main(["score", str(folder), "--submission", str(tmp_path / "a.csv")])
    (folder / "test.jsonl").write_text(f"{first}\n{second[:50]}\n{second[:60]}\n", "utf-8")
    with pytest.raises(SystemExit, match=r"2 of 3 questions have no score, the first .* item 1"):
        main(["score", str(folder), "--submission", str(tmp_path / "a.csv")])
    assert not (tmp_path / "a.csv").exists()


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
    arguments = ["score", str(webqa), "--threshold", "0", "--submission", str(tmp_path / "a.json")]
    with pytest.raises(SystemExit, match="--limit came with --submission"):
        main([*arguments, "--limit", "1"])
    questions = json.loads((webqa / "WebQA_train_val.json").read_text(encoding="utf-8"))
    next(iter(questions.values()))["Q"] = 7
    folder = tmp_path / "damaged"
    folder.mkdir()
    (folder / "WebQA_test.json").write_text(json.dumps(questions), encoding="utf-8")
    for name in ("imgs.tsv", "imgs.lineidx"):
        (folder / name).symlink_to(webqa / name)
    with pytest.raises(SystemExit, match=f"1 of {ITEMS} questions has no score, the first .* 0"):
        main([arguments[0], str(folder), *arguments[2:]])
    with pytest.raises(SystemExit, match="no submission file of scores for a set of the kind"):
        main(["score", str(folder_of_words), "--submission", str(tmp_path / "a.json")])
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize("value", ["nan", "inf", "much"])
def test_a_threshold_is_a_number(webqa, capsys, value):
    """And has an end."""
    with pytest.raises(SystemExit, match="2"):
        main(["score", str(webqa), "--threshold", value])
    assert f"{value} is no finite number" in capsys.readouterr().err


def test_where_scores_go_is_looked_at_first(webqa, tmp_path, monkeypatch):
    """Before a model is loaded."""
    monkeypatch.setattr(model_choice, "loaded", None)
    with pytest.raises(SystemExit, match=r"is a folder. Name a file"):
        main(["score", str(webqa), "--to", str(tmp_path)])
    (tmp_path / "file").write_text("x")
    with pytest.raises(SystemExit, match=r"The folder .* cannot be made"):
        main(["score", str(webqa), "--to", str(tmp_path / "file" / "a.jsonl")])


def test_how_the_threshold_was_found_is_said(webqa, capsys):
    """Unless it was given."""
    main(["score", str(webqa)])
    assert "best that there is on these very questions, which flatters" in capsys.readouterr().out
    main(["score", str(webqa), "--threshold", "0"])
    assert "which flatters" not in capsys.readouterr().out


def test_sources_are_scored(webqa, tmp_path, capsys):
    """Five to a question."""
    main(["score", str(webqa), "--to", str(tmp_path / "a.jsonl")])

    _, *lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert [len(json.loads(line)["scores"]) for line in lines] == [5] * ITEMS
    assert "retrieval F1" in capsys.readouterr().out

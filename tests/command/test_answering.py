"""The accuracy of written answers, from the table that a trace leaves."""

import json

import pyarrow as pa
import pytest

from tests.datasets.webqa_files import by_text, labeled, write_questions
from vl_core import datasets
from vl_core.command import head_tables, main
from vl_core.datasets.fingerprints import identity


@pytest.fixture
def webqa(tmp_path):
    """Two questions of color, one of a number, one that texts answer."""
    questions = [
        labeled(1),
        labeled(2, Keywords_A='"red"'),
        labeled(3, category="number", Keywords_A='"2"'),
        by_text(4),
    ]
    return write_questions(tmp_path / "WebQA_train_val.json", questions)


def row(number, said, *, is_right=True, kind="text"):
    """What is read of a row."""
    return {"number": number, "said": said, "is_right": is_right, "kind": kind}


def table(path, rows, data):
    """Predictions for this set."""
    head_tables.write(pa.Table.from_pylist(rows), path, identity(datasets.open(data)))
    return path


def test_the_answer_with_the_first_right_source_counts(webqa, tmp_path, capsys):
    """By the plain rules: one of two colors, a number beside a wrong one, none without words."""
    rows = [
        row(0, "it is red", is_right=False),
        row(0, "the door is green"),
        row(0, "the door is blue"),
        row(1, "it is blue"),
        row(2, "two of 5"),
        row(3, "it was built in 1832"),
    ]
    path = table(tmp_path / "predictions.parquet", rows, webqa)

    main(["score", str(webqa), "--answers", str(path)])

    told = capsys.readouterr().out
    number = 2 * 0.5 * 1 / (0.5 + 1 + 1e-5)
    color = (2 / (2 + 1e-5) + 0) / 2
    assert f"answer accuracy: {(2 * color + number) / 3:.4f} (over 3 questions; no lemmas" in told
    assert f"  color: {color:.4f}\n  number: {number:.4f}\n" in told
    assert "fluency: not computed" in told
    assert "4 of 4 questions answered, 1 of them without key words" in told


def test_answers_that_were_cut_off_are_counted(webqa, tmp_path, capsys):
    """Those that count; an older table does not tell."""
    arguments = ["score", str(webqa), "--answers"]
    rows = [row(0, "the door is", is_right=False), row(0, "green"), row(1, "it is"), row(2, "is")]
    for path, cut in (("new", (True, False, True, True)), ("old", None)):
        told = (
            rows if cut is None else [a | {"is_cut_off": b} for a, b in zip(rows, cut, strict=True)]
        )
        main([*arguments, str(table(tmp_path / path, told, webqa))])
    assert capsys.readouterr().out.count("2 answers cut off") == 1


@pytest.mark.parametrize(
    "rows", [[row(0, "x", kind="score")], [row(0, "x", is_right=False)], [row(0, "")]]
)
def test_a_table_without_answers_is_refused(webqa, tmp_path, rows):
    """Scores of sources are none, nor is what was said to a wrong source."""
    path = table(tmp_path / "predictions.parquet", rows, webqa)
    with pytest.raises(SystemExit, match="holds no answer that was given with a right source"):
        main(["score", str(webqa), "--answers", str(path)])


def test_a_table_of_another_set_is_refused(webqa, tmp_path):
    """Also if it is the same one, changed since; and what is no such table."""
    path = table(tmp_path / "predictions.parquet", [row(0, "green")], webqa)
    told = json.loads(webqa.read_text(encoding="utf-8"))
    next(iter(told.values()))["Keywords_A"] = "blue"
    webqa.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"is of another set than .*: it differs in files"):
        main(["score", str(webqa), "--answers", str(path)])
    with pytest.raises(SystemExit, match="is no table that can be read"):
        main(["score", str(webqa), "--answers", str(webqa)])
    with pytest.raises(SystemExit, match="scenes is no WebQA"):
        main(["score", "scenes", "--answers", str(path)])


def test_options_of_a_model_are_refused_with_answers(webqa, tmp_path):
    """None is run."""
    with pytest.raises(SystemExit, match="--limit and --model have no meaning with --answers"):
        main(
            [
                *("score", str(webqa), "--answers", str(tmp_path / "a.parquet")),
                *("--limit", "1", "--model", "embedded"),
            ]
        )

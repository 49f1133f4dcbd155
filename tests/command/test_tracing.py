"""Tracing from the command line: one example, and a set that can be gone on with."""

import json

import pandas as pd
import pytest

import vl_core
from tests.command.conftest import ITEMS
from vl_core.command import main
from vl_core.command.batches import _said
from vl_core.datasets.gallery import GALLERY
from vl_core.trace import Prediction

QUESTION = GALLERY[0].question.text


def test_an_example_becomes_a_file(picture, tmp_path, capsys):
    """With the answer on standard output, as the library gives it."""
    main(["trace", "--image", str(picture), "--question", QUESTION, "--to", str(tmp_path / "a.st")])

    trace = vl_core.Trace.load(tmp_path / "a.st")
    assert trace.prediction.top[0][0] == GALLERY[0].question.answer
    assert f"said      {trace.prediction.top[0][0]}" in capsys.readouterr().out


def test_a_set_becomes_traces_and_tables(vcr, tmp_path, capsys):
    """A row for each example, layer and head; each number is that of the trace."""
    main(["trace", "--data", str(vcr / "val.jsonl"), "--to", str(tmp_path), "--limit", "2"])

    files = sorted((tmp_path / "traces").iterdir())
    heads = pd.read_parquet(tmp_path / "head_statistics.parquet")
    said = pd.read_parquet(tmp_path / "predictions.parquet")
    assert len(files) == len(said) == 2 * 2 * 4
    assert len(heads) == len(files) * 6 * 8
    trace = vl_core.Trace.load(files[5])  # of the first item the second candidate of QA->R
    row = said.iloc[5]
    assert (row["number"], row["asked"], row["option"]) == (0, "QA->R", "1")
    assert (row["kind"], row["value"]) == ("score", trace.prediction.top[0][1])
    own = heads[
        (heads["item"] == row["item"]) & (heads["asked"] == "QA->R") & (heads["option"] == "1")
    ]
    one = own[(own["layer"] == 4) & (own["head"] == 6)].iloc[0]
    for key, values in trace.stacks["encoder"].head_stats.items():
        assert one[key] == pytest.approx(values[4, 6], nan_ok=True), key
    assert f"{len(files)} examples" in capsys.readouterr().err


def test_the_right_ones_alone_can_be_asked_for(vcr, tmp_path):
    """One candidate of each question; nothing but tables where no traces are wanted."""
    main(
        [
            "trace",
            "--data",
            str(vcr / "val.jsonl"),
            "--to",
            str(tmp_path),
            "--options",
            "right",
            "--statistics-only",
        ]
    )

    said = pd.read_parquet(tmp_path / "predictions.parquet")
    assert len(said) == 2 * ITEMS
    assert said["is_right"].all()
    assert not (tmp_path / "traces").exists()


def test_what_is_done_is_not_done_again(vcr, tmp_path):
    """A run that was stopped goes on; the files of before stay as they are."""
    arguments = ["trace", "--data", str(vcr / "val.jsonl"), "--to", str(tmp_path)]
    main([*arguments, "--limit", "1", "--options", "first"])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").iterdir()}

    main([*arguments, "--limit", "2", "--options", "first"])

    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").iterdir()}
    assert len(before) == 2
    assert len(after) == 4
    assert all(after[path] == time for path, time in before.items())


def test_an_example_that_cannot_be_read_is_skipped_and_told_of(vcr, tmp_path, capsys):
    """Its reason is said; the others are done."""
    line = json.loads((vcr / "val.jsonl").read_text(encoding="utf-8").splitlines()[0])
    broken = line | {"img_fn": "nowhere/nothing.png", "annot_id": "val-9"}
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "vcr1images").symlink_to(vcr / "vcr1images")
    lines = "\n".join(map(json.dumps, (broken, line)))
    (folder / "val.jsonl").write_text(lines, encoding="utf-8")

    main(["trace", "--data", str(folder), "--to", str(tmp_path / "run"), "--options", "first"])

    told = capsys.readouterr().err
    assert "2 examples in" in told
    assert "2 skipped" in told
    assert "nothing.png" in told


def test_a_folder_of_another_run_is_refused(vcr, webqa, tmp_path):
    """Tables of two sets in one would be of neither."""
    main(["trace", "--data", str(vcr), "--to", str(tmp_path), "--limit", "1", "--options", "first"])

    with pytest.raises(SystemExit, match="another model, another set"):
        main(["trace", "--data", str(webqa), "--to", str(tmp_path)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image", "a.png"], "came without --question"),
        (["--image", "none.png", "--question", "what is it?"], "none.png cannot be read"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line(arguments, message, tmp_path):
    """And no traceback."""
    with pytest.raises(SystemExit, match=f"python -m vl_core trace: .*{message}"):
        main(["trace", *arguments, "--to", str(tmp_path / "a.safetensors")])


def test_items_that_are_not_there_are_refused(vcr, tmp_path):
    """With how many there are."""
    with pytest.raises(SystemExit, match=f"has {ITEMS} items"):
        main(["trace", "--data", str(vcr), "--to", str(tmp_path), "--first", "7"])


def test_a_generated_answer_is_told_whole():
    """Not its first token, whose probability is not that of the answer."""
    prediction = Prediction("text", ((" red", 0.9), (" star", 0.8), ("</s>", 0.7)), text="red star")

    assert _said(prediction) == {"kind": "text", "said": "red star", "value": None}

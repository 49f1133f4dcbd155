"""Tracing from the command line: one example, and a set that can be gone on with."""

import json
from dataclasses import replace
from shutil import copy

import numpy as np
import pandas as pd
import pytest

import vl_core
from tests.command.conftest import ITEMS
from vl_core import datasets
from vl_core.command import head_tables, main, model_choice
from vl_core.command.batches import _said
from vl_core.datasets.gallery import GALLERY
from vl_core.datasets.vcr import VCR
from vl_core.model import Model
from vl_core.trace import Prediction

QUESTION = GALLERY[0].question.text
BEGIN = ["trace", "--options", "first", "--statistics-only", "--limit", "1", "--data"]


@pytest.fixture
def begun(vcr, tmp_path):
    """A folder in which a run was begun: the first item, the first option of each question."""
    main([*BEGIN, str(vcr), "--to", str(tmp_path / "run")])
    return tmp_path / "run"


@pytest.fixture
def tensors(tmp_path):
    """Two files of tensors of a model of 3 layers and 2 heads; the first one tells its answer."""
    folder = tmp_path / "tensors"
    folder.mkdir()
    told = {"answer": "dog", "prediction": "dog"}
    for number, more in ((1, told), (2, {})):
        np.savez(
            folder / f"{number}.npz",
            attention=np.random.default_rng(number).dirichlet(np.ones(5), size=(3, 2, 5)),
            tokens=["what", "is", "it", "patch", "patch"],
            n_text=3,
            **more,
        )
    return folder


def example(picture, path):
    """The arguments that trace a picture into a file."""
    return ["trace", "--image", str(picture), "--question", QUESTION, "--to", str(path)]


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

    with pytest.raises(SystemExit, match="differs from this one in data, kind, files, options"):
        main(["trace", "--data", str(webqa), "--to", str(tmp_path)])


@pytest.mark.parametrize(
    ("more", "names"),
    [
        (["--options", "all", "--statistics-only"], "options"),
        (["--options", "first"], "statistics_only"),
        (["--options", "first", "--statistics-only", "--tags", "class"], "data"),
        (["--options", "first", "--statistics-only", "--precision", "bfloat16"], "model dtype"),
    ],
)
def test_a_run_that_differs_is_told_in_what(begun, vcr, more, names):
    """Each of it would make another table."""
    with pytest.raises(SystemExit, match=f"differs from this one in {names} "):
        main(["trace", "--data", str(vcr), "--limit", "1", "--to", str(begun), *more])


def test_other_libraries_are_noted_and_no_reason_to_refuse(begun, vcr, capsys):
    """They give nearly the same."""
    path = begun / "run.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    told["model"]["versions"]["torch"] = "1.0"
    path.write_text(json.dumps(told), encoding="utf-8")
    main([*BEGIN, str(vcr), "--to", str(begun)])
    assert "Note: versions torch" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b"[1]"])
def test_a_damaged_description_of_a_run_is_refused(begun, vcr, content):
    """In a sentence, as it cannot be told what was begun."""
    (begun / "run.json").write_bytes(content)
    with pytest.raises(SystemExit, match=r"is damaged|differs from this one in all"):
        main([*BEGIN, str(vcr), "--to", str(begun)])


@pytest.mark.parametrize("damage", [b"junk", None])
def test_a_damaged_table_of_one_example_is_made_again(begun, vcr, damage):
    """Whole or in its middle; the run can be finished."""
    path = min((begun / "parts").iterdir())
    whole = path.read_bytes()
    path.write_bytes(damage or whole[:200] + bytes(100) + whole[300:])
    assert head_tables.part(path) is None

    main([*BEGIN, str(vcr), "--to", str(begun)])

    assert head_tables.part(path) is not None
    assert len(pd.read_parquet(begun / "predictions.parquet")) == 2


def test_a_damaged_table_of_another_item_is_left_out_and_told_of(begun, vcr, capsys):
    """It is made again when its item is asked for."""
    (begun / "parts" / "0000002-0-00.parquet").write_bytes(b"junk")
    main([*BEGIN, str(vcr), "--to", str(begun)])
    told = capsys.readouterr().err
    assert "2 examples in" in told
    assert "1 table in parts is damaged and left out; it is made again when its item is" in told
    (begun / "parts" / "0000002-0-01.parquet").write_bytes(b"junk")
    main([*BEGIN, str(vcr), "--to", str(begun)])
    told = capsys.readouterr().err
    assert "2 tables in parts are damaged and left out; they are made again when their" in told


def test_a_set_of_the_same_name_and_length_is_another_one(tmp_path):
    """Two folders of pictures, as many in each."""
    for place, text in (("a", "is there a star?"), ("b", "what color is the moon?")):
        (tmp_path / place / "photos").mkdir(parents=True)
        GALLERY[0].example().image.save(tmp_path / place / "photos" / "1.png")
        (tmp_path / place / "photos" / "1.txt").write_text(text)
    arguments = ["trace", "--statistics-only", "--to", str(tmp_path / "run"), "--data"]
    main([*arguments, str(tmp_path / "a" / "photos")])
    with pytest.raises(SystemExit, match="differs from this one in files "):
        main([*arguments, str(tmp_path / "b" / "photos")])


def test_items_are_read_when_it_is_their_turn(begun, vcr, monkeypatch):
    """The first is done before the second is looked at, and none is read twice."""
    seen = []
    read, trace = VCR.__getitem__, Model.trace
    monkeypatch.setattr(VCR, "__getitem__", lambda *a: seen.append(a[1]) or read(*a))
    monkeypatch.setattr(Model, "trace", lambda *a: seen.append("trace") or trace(*a))

    main([*BEGIN, str(vcr), "--to", str(begun), "--limit", "3"])

    assert seen == [0, 1, "trace", "trace", 2, "trace", "trace"]


def test_own_tensors_are_taken_as_they_are(tensors, tmp_path, monkeypatch):
    """No model is loaded; what was told of the answers stands in the table."""
    monkeypatch.setattr(model_choice, "loaded", None)

    main(["trace", "--data", str(tensors), "--to", str(tmp_path)])

    data = datasets.open(tensors)
    table, _ = head_tables.part(tmp_path / "predictions.parquet")
    said = pd.DataFrame(table.to_pydict(), dtype=object)
    heads = pd.read_parquet(tmp_path / "head_statistics.parquet")
    told = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert told["model"] == "none: the tensors are the set's own"
    assert said["said"].to_list() == ["dog", None]
    assert list(said["kind"]) == ["told", "told"]
    assert said["was_right"].to_list() == [True, None]
    assert len(heads) == 2 * 3 * 2
    for number, stem in enumerate(("1", "2")):
        stack = data.trace(number).stacks["encoder"]
        own = heads[heads["item"] == stem]
        for key, values in stack.head_stats.items():
            np.testing.assert_allclose(own[key], values.reshape(-1), err_msg=key)
    files = sorted((tmp_path / "traces").iterdir())
    assert vl_core.Trace.load(files[0]).prediction.top[0][0] == "dog"


def test_a_model_is_refused_for_tensors_that_are_there(tensors, tmp_path):
    """It would not be run."""
    with pytest.raises(SystemExit, match=r"--model has no meaning for .*holds its own traces"):
        main(["trace", "--data", str(tensors), "--to", str(tmp_path), "--model", "embedded"])


@pytest.mark.parametrize("option", ["--first", "--limit", "--options", "--split", "--tags"])
def test_options_of_a_set_are_refused_with_a_picture(picture, tmp_path, option):
    """They would do nothing."""
    value = "all" if option == "--options" else "1"
    given = [option, value]
    with pytest.raises(SystemExit, match=f"{option} has no meaning with --image"):
        main([*example(picture, tmp_path / "a.safetensors"), *given])
    with pytest.raises(SystemExit, match=rf"--statistics-only.*{option}|{option}.*--stat"):
        main([*example(picture, tmp_path / "a.safetensors"), *given, "--statistics-only"])


@pytest.mark.parametrize(
    ("option", "value"), [("--limit", "0"), ("--limit", "-2"), ("--limit", "x"), ("--first", "-1")]
)
def test_numbers_that_mean_nothing_are_refused(vcr, tmp_path, capsys, option, value):
    """At once."""
    with pytest.raises(SystemExit, match="2"):
        main(["trace", "--data", str(vcr), "--to", str(tmp_path), option, value])
    assert f"{value} is no whole number from" in capsys.readouterr().err


def test_where_a_trace_goes_is_looked_at_first(picture, vcr, tmp_path, monkeypatch):
    """Before a model is loaded; folders are made, and what is none is said."""
    monkeypatch.setattr(model_choice, "loaded", None)
    (tmp_path / "file").write_text("x")
    for arguments in (
        example(picture, tmp_path / "file" / "a.safetensors"),
        ["trace", "--data", str(vcr), "--to", str(tmp_path / "file" / "run")],
    ):
        with pytest.raises(SystemExit, match=r"The folder .* cannot be made"):
            main(arguments)
    with pytest.raises(SystemExit, match=r"is a folder. Name a file"):
        main(example(picture, tmp_path))
    with pytest.raises(SystemExit, match=r"is a file. Name a folder"):
        main(["trace", "--data", str(vcr), "--to", str(tmp_path / "file")])


def test_folders_are_made_for_a_trace(picture, tmp_path):
    """However many."""
    main(example(picture, tmp_path / "a" / "b" / "c.safetensors"))
    assert (tmp_path / "a" / "b" / "c.safetensors").is_file()


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

    told = {"kind": "text", "said": "red star", "value": None, "is_cut_off": False}
    assert _said(prediction) == told
    assert _said(replace(prediction, is_cut_off=True)) == told | {"is_cut_off": True}


def test_what_is_not_generated_cannot_be_cut_off():
    """So it is not told, as of what a model did elsewhere."""
    for prediction in (Prediction("answer", (("red", 0.9),)), Prediction.told("red")):
        assert _said(prediction)["is_cut_off"] is None


def test_the_table_tells_which_answers_were_cut_off(tmp_path, picture, monkeypatch):
    """A column of truth values, with nothing where none is generated."""
    (tmp_path / "photos").mkdir()
    for number in range(3):
        copy(picture, tmp_path / "photos" / f"{number}.png")
        (tmp_path / "photos" / f"{number}.txt").write_text(QUESTION)
    written = iter(
        (("text", "it is", True), ("text", "a red star", False), ("answer", None, False))
    )
    trace = Model.trace

    def writing(*given):
        kind, text, is_cut_off = next(written)
        said = Prediction(kind, (("a", 0.5),), text=text, is_cut_off=is_cut_off)
        return replace(trace(*given), prediction=said)

    monkeypatch.setattr(Model, "trace", writing)
    arguments = ["trace", "--data", str(tmp_path / "photos"), "--to", str(tmp_path / "run")]
    main([*arguments, "--statistics-only"])

    table, _ = head_tables.part(tmp_path / "run" / "predictions.parquet")
    assert table["is_cut_off"].to_pylist() == [True, False, None]
    assert table["said"].to_pylist() == ["it is", "a red star", "a"]


def test_a_column_that_the_first_row_lacks_is_in_the_table(begun, vcr):
    """As of a run that was begun before there was such a column."""
    path = min((begun / "parts").iterdir())
    table, facts = head_tables.part(path)
    del facts["is_cut_off"]
    head_tables.write(table, path, facts)
    main([*BEGIN, str(vcr), "--to", str(begun)])

    table, _ = head_tables.part(begun / "predictions.parquet")
    assert "is_cut_off" in table.column_names
    assert table["number"].to_pylist() == [0, 0]


def test_boxes_that_are_left_out_are_told_once(picture, tmp_path, capsys):
    """Though each of the candidates has them; the item is traced with those that are left."""
    row = {
        "image": str(copy(picture, tmp_path / "a.png").name),
        "question": QUESTION,
        "candidates": ["red", "blue"],
        "boxes": [[2, 2, 40, 40], [40, 2, 2, 40], [2, 2, 4000, 40]],
    }
    (tmp_path / "rows.jsonl").write_text(json.dumps(row), encoding="utf-8")

    main(["trace", "--data", str(tmp_path / "rows.jsonl"), "--to", str(tmp_path / "run")])

    told = capsys.readouterr().err
    assert "2 boxes left out, as they are no places in their pictures:" in told
    assert told.count("line 1 of rows.jsonl: Region box 2 has the box (40.0, 2.0, 2.0, 40.0)") == 1
    for path in (tmp_path / "run" / "traces").iterdir():
        assert [one.label for one in vl_core.Trace.load(path).example.regions] == ["box 1"]

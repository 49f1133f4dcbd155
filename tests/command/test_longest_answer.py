"""How long a generated answer may become, as the command line is told."""

import json

import pytest

import vl_core
from tests.command.test_tracing import example
from tests.families.generating import KINDS, NEVER
from vl_core.command import main
from vl_core.families.generation import LONGEST


@pytest.fixture(scope="module")
def llava(tmp_path_factory):
    """A tiny random LLaVA, which never comes to an end by itself."""
    folder = KINDS["behind the prompt"].save(tmp_path_factory.mktemp("llava"))
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": NEVER}))
    return folder


def test_answers_are_as_long_as_is_asked_for(llava, picture, tmp_path):
    """And as long as the help says where nobody asks."""
    said = []
    for more in ([], ["--longest-answer", "5"]):
        path = tmp_path / f"{len(more)}.safetensors"
        main([*example(picture, path), "--model", str(llava), *more])
        said.append(vl_core.Trace.load(path))

    counts = [len(trace.prediction.top) for trace in said]
    assert counts == [LONGEST, 5]
    assert said[1].prediction.is_cut_off
    assert [trace.provenance.preprocessing["max_answer_tokens"] for trace in said] == counts


@pytest.mark.parametrize("command", ["trace", "score"])
def test_the_help_says_how_long_answers_are_by_themselves(capsys, command):
    """Without loading what would know it."""
    with pytest.raises(SystemExit):
        main([command, "--help"])

    assert f"of a model that writes its answer (default: {LONGEST})" in capsys.readouterr().out


def test_runs_of_answers_of_other_lengths_are_other_runs(llava, vcr, tmp_path):
    """Their traces and tables are not mixed in one folder."""
    begun = ["trace", "--data", str(vcr), "--model", str(llava), "--limit", "1", "--options"]
    begun += ["first", "--statistics-only", "--to", str(tmp_path / "run"), "--longest-answer"]
    main([*begun, "5"])

    with pytest.raises(SystemExit, match="max_answer_tokens"):
        main([*begun, "6"])


def test_answers_to_a_table_are_as_long_as_is_asked_for(llava, picture, tmp_path, capsys):
    """How many were cut off is told, also of those of before; other lengths are not mixed in."""
    rows = [{"image": str(picture.name), "question": text, "answer": "red"} for text in "ab"]
    table = picture.parent / "rows.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    begun = ["score", str(table), "--model", str(llava), "--to", str(tmp_path / "a.jsonl")]

    main([*begun, "--longest-answer", "5", "--limit", "1"])

    told = capsys.readouterr().out
    assert "1 answer cut off, as no more tokens were allowed; --longest-answer allows" in told
    with pytest.raises(SystemExit, match="it differs in max_answer_tokens"):
        main(begun)
    main([*begun, "--longest-answer", "5"])
    assert "2 answers cut off" in capsys.readouterr().out
    _, *lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [json.loads(line) for line in lines]
    model = vl_core.load(str(llava)).with_longest_answer(5)
    said = [model.answer(vl_core.Example(picture, text)) for text in "ab"]
    assert [(one["said"], one["is_cut_off"]) for one in kept] == [(one.text, True) for one in said]


def test_a_model_that_writes_no_answer_is_refused(picture, tmp_path):
    """The embedded one chooses among its own."""
    with pytest.raises(SystemExit, match="writes no answer of its own"):
        main([*example(picture, tmp_path / "a.safetensors"), "--longest-answer", "9"])


@pytest.mark.parametrize("wrong", ["0", "-2", "many"])
def test_what_is_no_length_is_refused(picture, tmp_path, capsys, wrong):
    """Before anything is loaded."""
    with pytest.raises(SystemExit):
        main([*example(picture, tmp_path / "a.safetensors"), f"--longest-answer={wrong}"])

    assert "no whole number from 1 on" in capsys.readouterr().err

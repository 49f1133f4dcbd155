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


def test_the_help_says_how_long_answers_are_by_themselves(capsys):
    """Without loading what would know it."""
    with pytest.raises(SystemExit):
        main(["trace", "--help"])

    assert f"of a model that writes its answer (default: {LONGEST})" in capsys.readouterr().out


def test_runs_of_answers_of_other_lengths_are_other_runs(llava, vcr, tmp_path):
    """Their traces and tables are not mixed in one folder."""
    begun = ["trace", "--data", str(vcr), "--model", str(llava), "--limit", "1", "--options"]
    begun += ["first", "--statistics-only", "--to", str(tmp_path / "run"), "--longest-answer"]
    main([*begun, "5"])

    with pytest.raises(SystemExit, match="max_answer_tokens"):
        main([*begun, "6"])


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

"""What the other commands say and start."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import vl_core
from vl_core.command import COMMANDS, _parser, main, serving
from vl_core.errors import SettingError

REPOSITORY = Path(vl_core.__file__).parents[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command, capsys):
    """Each example is one that the command takes."""
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])

    told = capsys.readouterr().out
    examples = [
        shlex.split(line) for line in told.splitlines() if line.startswith("  python -m vl_core")
    ]
    assert examples
    for words in examples:
        assert _parser().parse_args(words[3:]).command == command


def test_help_is_at_hand_at_once():
    """Nothing heavy is imported for it."""
    code = (
        "import sys; from vl_core.command import _parser; _parser(); "
        "print([name for name in ('torch', 'transformers', 'pyarrow', 'streamlit') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "[]"


def test_a_set_and_its_items_are_described(vcr, capsys):
    """What it is, how many, and of an item what is right; hidden where the set hides it."""
    main(["inspect", str(vcr / "val.jsonl")])
    told = capsys.readouterr().out
    assert "VCR" in told
    assert "items" in told

    main(["inspect", str(vcr / "val.jsonl"), "--item", "-1"])
    assert capsys.readouterr().out.count("right ") == 2
    main(["inspect", str(vcr / "test.jsonl"), "--item", "0"])
    assert "right " not in capsys.readouterr().out.replace("right of", "").replace(
        "on the right", ""
    )


def test_an_item_that_is_not_there_is_said(vcr):
    """In a line."""
    with pytest.raises(SystemExit, match="item 99 of"):
        main(["inspect", str(vcr), "--item", "99"])


@pytest.mark.parametrize("option", ["--item", "--question", "--split", "--tags"])
def test_options_of_a_set_are_refused_with_a_trace(tmp_path, option):
    """It is one example."""
    with pytest.raises(SystemExit, match=f"{option} has no meaning with a trace"):
        main(["inspect", str(tmp_path / "a.safetensors"), option, "1"])


def test_a_trace_that_is_not_there_is_said(tmp_path):
    """To look at or to export."""
    for arguments in (["inspect"], ["export", "--to", str(tmp_path / "new")]):
        with pytest.raises(SystemExit, match=r"There is no file .*a\.safetensors\.$"):
            main([*arguments, str(tmp_path / "a.safetensors")])


@pytest.mark.parametrize(
    ("arguments", "goes_on"),
    [
        (["trace", "--data", "scenes", "--to", "run"], True),
        (["trace", "--image", "a.png", "--question", "b", "--to", "a"], False),
        (["score", "scenes", "--to", "a.jsonl"], True),
        (["score", "scenes"], False),
        (["inspect", "scenes"], False),
        (["serve"], False),
        (["export", "a", "--to", "b"], False),
    ],
)
def test_what_is_stopped_is_only_said_to_go_on_if_it_does(monkeypatch, capsys, arguments, goes_on):
    """By the same command."""

    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS[arguments[0]], "run", stop)
    with pytest.raises(SystemExit, match="130"):
        main(arguments)
    told = capsys.readouterr().err
    assert "Stopped." in told
    assert ("the same command goes on" in told) == goes_on


def test_what_a_terminal_lacks_does_not_end_a_command(tmp_path):
    """A data set may hold any character."""
    row = {"image": None, "question": "what is \u2603?", "\ud800": 1}
    (tmp_path / "a.jsonl").write_text(json.dumps(row), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "vl_core", "inspect", str(tmp_path / "a.jsonl"), *("--item", "0")],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=True,
        cwd=REPOSITORY,
    )
    assert rb"what is \u2603?" in done.stdout


def test_serving_sets_what_the_owner_may_settle(vcr, tmp_path):
    """Paths in full, with their names; what is not there is refused before anything starts."""
    chosen = _parser().parse_args(
        [
            *("serve", "--data", f"scenes={vcr}", "--data", str(tmp_path), "--model", "a/b"),
            *("--tags", "class"),
        ]
    )

    assert serving.settings(chosen) == {
        "VLINTERPRET_DATASETS": f"scenes={vcr.resolve()},{tmp_path.resolve()}",
        "VLINTERPRET_MODELS": "a/b",
        "VLINTERPRET_TAGS": "class",
    }
    chosen.data = ["mine=nowhere"]
    with pytest.raises(SettingError, match="There is no nowhere"):
        serving.settings(chosen)

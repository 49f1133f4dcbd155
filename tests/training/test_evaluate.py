"""The evaluation goes on where it was stopped, and its file is what JSON allows."""

import json

import pytest

from training.evaluate import finished
from training.evaluation.report import print_accuracy, print_grounding, print_part


def test_a_part_that_is_done_is_not_measured_again(tmp_path):
    """Its figures come from the file; a part that failed half-way leaves none."""
    calls = []

    def part():
        calls.append(1)
        return {"mean": 0.5, "missing": float("nan"), "list": [1, float("nan")]}

    path = tmp_path / "part.json"
    first, second = finished(path, "part", part), finished(path, "part", part)

    assert first == second == {"mean": 0.5, "missing": None, "list": [1, None]}
    assert len(calls) == 1
    json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)

    def failing():
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        finished(tmp_path / "other.json", "other", failing)
    assert not (tmp_path / "other.json").exists()


def test_figures_are_printed_with_their_names(capsys):
    """A table of accuracy, one of grounding, and the leading numbers of any part."""
    row = {"model": 0.99, "question only": 0.3, "blank picture": 0.25, "chance": 0.31}
    print_accuracy(
        {
            "questions": 7,
            "scenes": 3,
            "types": {"compare_size": row},
            "mean": row,
            "calibration": {"expected calibration error": 0.0123},
        }
    )
    measured = {"pointing": 0.8, "energy": 0.4, "AUC": 0.7}
    table = {"relevancy": measured, "questions": 5}
    print_grounding({"types": {"color": table, "exist": {"questions": 0}}, "mean": table})
    print_part("part", {"a": {"b": 0.25}, "c": [1, 2]}, 3.0)
    told = capsys.readouterr().out

    assert "compare size" in told
    assert "0.990" in told
    assert "0.0123" in told
    assert "relevancy" in told
    assert "a / b: 0.25" in told

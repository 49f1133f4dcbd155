"""What the app says of a head that is taken out is what was measured of the weights it ships."""

import hashlib
import json

import numpy as np
import pytest

from vl_core import findings
from vl_core.datasets.scenes import QUESTION_TYPES

CHANGE = [[-0.032, 0.0, 0.004], [-0.5, -0.01, 0.0]]  # 2 layers x 3 heads
LOW = [[-0.05, -0.01, 0.0], [-0.6, -0.02, -0.01]]
HIGH = [[-0.015, 0.01, 0.01], [-0.4, 0.0, 0.01]]
COLOR = {"accuracy": 0.995, "change": CHANGE, "low": LOW, "high": HIGH}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model's folder with weights and no findings yet."""
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setattr(findings, "EMBEDDED", tmp_path)
    return tmp_path


def write(folder, weights=b"weights", **parts):
    """Findings about these weights."""
    content = {"weights_sha256": hashlib.sha256(weights).hexdigest(), **parts}
    (folder / "evaluation.json").write_text(json.dumps(content))


def test_a_finding_has_its_numbers_layer_by_head_with_their_interval(folder):
    """As they stand in the file, and read-only, as all visitors share them."""
    write(folder, ablation={"questions_per_type": 200, "types": {"color": COLOR}})

    found = findings.ablation("color")

    assert (found.accuracy, found.n_questions) == (0.995, 200)
    for name, values in (("change", CHANGE), ("low", LOW), ("high", HIGH)):
        np.testing.assert_array_equal(getattr(found, name), values)
        assert not getattr(found, name).flags.writeable


def test_a_type_that_was_not_measured_has_no_finding(folder):
    """None, and not zero."""
    write(folder, ablation={"questions_per_type": 200, "types": {"color": COLOR}})

    assert findings.ablation("count") is None


def test_findings_about_other_weights_are_not_shown(folder):
    """After another training the old figures would be false."""
    write(folder, b"others", ablation={"questions_per_type": 200, "types": {"color": COLOR}})

    assert findings.ablation("color") is None


def test_without_a_file_or_with_other_findings_alone_there_is_none(tmp_path, folder):
    """The file comes after the weights, and part by part."""
    assert findings.ablation("color") is None

    other = tmp_path / "other"
    other.mkdir()
    (other / "model.safetensors").write_bytes(b"weights")
    write(other)
    assert findings._ablations(other) == {}


def test_the_accuracy_is_the_plain_mean_over_the_types_of_question():
    """Each type counts the same, as each was asked about equally often."""
    measured = json.loads((findings.EMBEDDED / findings.EVALUATION).read_text(encoding="utf-8"))
    types = measured["accuracy"]["types"].values()

    assert findings.accuracy() == pytest.approx(sum(row["model"] for row in types) / len(types))
    assert 0 < findings.accuracy() < 1


def test_every_type_of_question_has_effects_of_the_weights_that_ship():
    """Layer by head, within their intervals."""
    for name in QUESTION_TYPES:
        found = findings.ablation(name)
        assert found.change.shape == (6, 8)
        assert (found.low <= found.change + 1e-4).all()
        assert (found.change <= found.high + 1e-4).all()

"""The whole path from scenes to files, small."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training.export import curve
from vl_core.families.kdvlp import KDVLPForTasks, KDVLPProcessor

ROOT = Path(__file__).parents[2]


def trained(folder, output, *options):
    """Run the command as a user would."""
    command = [sys.executable, "-m", "training", "--smoke", "--folder", str(folder)]
    result = subprocess.run(
        [*command, "--output", str(output), *options],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """A smoke run by one process: training folder and model folder."""
    folder = tmp_path_factory.mktemp("training")
    trained(folder, folder / "model", "--processes", "1")
    return folder


def test_smoke_run_leaves_a_model_that_answers(smoke):
    """Weights, configuration, processor and history are there and load; weights are float16."""
    model = KDVLPForTasks.from_pretrained(smoke / "model", dtype=torch.float32)
    processor = KDVLPProcessor.from_pretrained(smoke / "model")
    history = json.loads((smoke / "model" / "training.json").read_text(encoding="utf-8"))

    assert model(**processor(text="is it red?", return_tensors="pt")).answer_logits.isfinite().all()
    assert (
        load_file(smoke / "model" / "model.safetensors")["matching.weight"].dtype == torch.float16
    )
    assert history["recipe"]["tasks"]["sequences"] == 320
    assert history["curves"]["questions"][-1]["sequences"] == 320
    assert history["curves"]["tasks"][-1]["sequences"] == 320
    assert 0.2 < history["temperature"] < 5


def test_a_finished_run_is_not_done_again(smoke):
    """Started once more, the command makes the same weights out of what is there."""
    again = trained(smoke, smoke / "again", "--processes", "1")

    assert "step" not in again
    one, other = (load_file(smoke / name / "model.safetensors") for name in ("model", "again"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_pictures_of_another_generator_are_refused(smoke):
    """Cached pictures whose scenes have changed are not trained on: their labels would be wrong."""
    path = smoke / "scenes.sha256"
    fingerprint = path.read_text(encoding="utf-8")
    path.write_text("of other scenes", encoding="utf-8")
    with pytest.raises(AssertionError, match="other scenes"):
        trained(smoke, smoke / "third", "--processes", "1")
    path.write_text(fingerprint, encoding="utf-8")


def test_two_processes_train_one_model(tmp_path):
    """Two processes meet, share the work and leave one set of weights."""
    trained(tmp_path, tmp_path / "model", "--processes", "2")

    assert (tmp_path / "model" / "model.safetensors").exists()


def test_curve_takes_the_later_of_repeated_steps(tmp_path):
    """Where a resumed run did steps again, the curve shows what came of the second time."""
    lines = [("tasks", 80, 0.1), ("tasks", 160, 0.2), ("tasks", 160, 0.3), ("warm-up", 0, 0.9)]
    log = tmp_path / "log.jsonl"
    log.write_text(
        "".join(
            json.dumps({"title": title, "sequences": seen, "means": {"all": mean}}) + "\n"
            for title, seen, mean in lines
        ),
        encoding="utf-8",
    )

    assert [line["means"]["all"] for line in curve(log, "tasks")] == [0.1, 0.3]


def test_a_run_goes_on_from_a_model_that_is_there(smoke, tmp_path):
    """With `--start` the first phase is that of the model; the card can tell where it came from."""
    output = tmp_path / "model"
    told = trained(tmp_path, output, "--processes", "1", "--start", str(smoke / "model"))
    history = json.loads((output / "training.json").read_text(encoding="utf-8"))
    before = json.loads((smoke / "model" / "training.json").read_text(encoding="utf-8"))

    assert "questions: step" not in told
    assert "tasks: step" in told
    weights = (smoke / "model" / "model.safetensors").read_bytes()
    assert history["started_from"] == hashlib.sha256(weights).hexdigest()
    assert history["curves"]["questions"] == before["curves"]["questions"]

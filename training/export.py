"""From a training folder to a model to ship: float16 weights, configuration, processor."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from training.evaluation.accuracy import temperature
from training.evaluation.subject import Subject
from training.joint import checkpoint
from training.recipe import Recipe, config, processor
from training.start import start_curve, start_hash
from vl_core.families.kdvlp import KDVLPForTasks


def export(recipe: Recipe, folder: Path, target: Path) -> None:
    """Write what the training folder's backbone, checkpoints and logs hold to `target`."""
    model = KDVLPForTasks(config())
    unexpected = model.load_state_dict(_weights(recipe, folder), strict=False).unexpected_keys
    if unexpected:
        raise RuntimeError(f"the checkpoint is of another model: {unexpected}")
    save(model, target)
    history = {
        "recipe": asdict(recipe),
        "started_from": start_hash(folder),
        "curves": {
            "questions": start_curve(folder) or curve(folder / "log.jsonl", "questions"),
            "tasks": curve(folder / "log.jsonl", "tasks"),
        },
        "temperature": _calibrated(model, recipe, target),
    }
    (target / "training.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")


def _calibrated(model: KDVLPForTasks, recipe: Recipe, target: Path) -> float:
    """Divide the answers' logits by the temperature that suits them, and save the model again."""
    found = temperature(Subject(target), recipe.calibration_scenes)
    last = model.answers[-1]
    with torch.no_grad():
        last.weight /= found
        last.bias /= found
    save(model, target)
    return found


def _weights(recipe: Recipe, folder: Path) -> dict[str, Tensor]:
    """The backbone of the last stage that changed it, and the masters of the last phase."""
    phase = recipe.tasks if recipe.tasks.sequences else recipe.questions
    masters = load_file(checkpoint(folder, phase))
    return _backbone(folder, is_steady=bool(recipe.tasks.sequences)) | {
        name.removeprefix("master."): value
        for name, value in masters.items()
        if name.startswith("master.")
    }


def _backbone(folder: Path, *, is_steady: bool) -> dict[str, Tensor]:
    steadied, first = folder / "steady.safetensors", folder / "backbone.safetensors"
    if is_steady:
        return {f"kdvlp.backbone.{name}": value for name, value in load_file(steadied).items()}
    return {
        f"kdvlp.{name}": value
        for name, value in load_file(first).items()
        if name.startswith("backbone.")
    }


def curve(log: Path, phase: str) -> list[dict[str, Any]]:
    """Some thirty lines of a phase's log; of steps done twice, the later ones."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    joint = {line["sequences"]: line for line in lines if line["title"] == phase}
    ordered = [joint[sequences] for sequences in sorted(joint)]
    every = max(1, len(ordered) // 30)
    return ordered[::-every][::-1]


def save(model: KDVLPForTasks, target: Path) -> None:
    """Weights in float16, configuration and processor."""
    model.to(torch.float16).save_pretrained(target)
    processor().save_pretrained(target)

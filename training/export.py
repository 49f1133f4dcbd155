"""From a training folder to a model to ship: float16 weights, configuration, processor."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from training.recipe import Recipe, config, processor
from vl_core.families.kdvlp import KDVLPForTasks


def export(recipe: Recipe, folder: Path, target: Path) -> None:
    """Write what the training folder's backbone, checkpoint and log hold to `target`."""
    model = KDVLPForTasks(config())
    backbone = {
        f"kdvlp.{name}": value
        for name, value in load_file(folder / "backbone.safetensors").items()
        if name.startswith("backbone.")
    }
    checkpoint = load_file(folder / "checkpoint.safetensors")
    trained = {
        name.removeprefix("master."): value
        for name, value in checkpoint.items()
        if name.startswith("master.")
    }
    unexpected = model.load_state_dict(backbone | trained, strict=False).unexpected_keys
    if unexpected:
        raise RuntimeError(f"the checkpoint is of another model: {unexpected}")
    save(model, target)
    history = {"recipe": asdict(recipe), "curve": curve(folder / "log.jsonl")}
    (target / "training.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")


def curve(log: Path) -> list[dict[str, Any]]:
    """Some thirty lines of the log of joint training; of steps done twice, the later ones."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    joint = {line["sequences"]: line for line in lines if line["title"] == "joint"}
    ordered = [joint[sequences] for sequences in sorted(joint)]
    every = max(1, len(ordered) // 30)
    return ordered[::-every][::-1]


def save(model: KDVLPForTasks, target: Path) -> None:
    """Weights in float16, configuration and processor."""
    model.to(torch.float16).save_pretrained(target)
    processor().save_pretrained(target)

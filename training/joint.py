"""The last stage: the encoder and all heads learn together, on the frozen backbone's features."""

import random
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from training.batches import Batches
from training.losses import losses
from training.optimiser import Masters
from training.recipe import Recipe
from training.run import Run
from vl_core.families.kdvlp import KDVLPForTasks


def rate_scale(step: int, progress: float, recipe: Recipe) -> float:
    """Share of the full learning rate: a short ramp, constant, then linearly to almost nothing."""
    ramp = min(1.0, (step + 1) / recipe.ramp_steps)
    return max(0.005, ramp * min(1.0, (1 - progress) / recipe.decay_share))


def train(run: Run, model: KDVLPForTasks, batches: Batches) -> None:
    """Train until `recipe.sequences` sequences are seen, from the last checkpoint on.

    The model's backbone is frozen. What is left in the model are the masters' values, in bfloat16;
    `run.folder / "checkpoint.safetensors"` holds the masters themselves.
    """
    recipe, group, log = run.recipe, run.group, run.log
    model.set_attn_implementation("eager")  # sdpa's backward pass is slow on a CPU
    names = [name for name, value in model.named_parameters() if value.requires_grad]
    masters = Masters(
        model,
        names,
        muon_rate=recipe.muon_rate,
        adam_rate=recipe.adam_rate,
        weight_decay=recipe.weight_decay,
    )
    path = run.folder / "checkpoint.safetensors"
    step = _resumed(path, masters)
    while (seen := step * recipe.sequences_per_step) < recipe.sequences:
        scale = rate_scale(step, seen / recipe.sequences, recipe)
        rng = random.Random(f"joint {recipe.seed} {group.rank} {step}")
        batch = batches.batch(rng, group.share(recipe.pictures_per_step), seen)
        found = losses(model, batch.to(run.device), log)
        sum(found.values()).backward()
        masters.step(scale, group)
        step += 1
        for name, loss in found.items():
            log.count(f"{name} loss", [loss.item()])
        if step % recipe.report_every == 0:
            log.report(
                "joint", step=step, sequences=step * recipe.sequences_per_step, rate=round(scale, 3)
            )
        is_last = step * recipe.sequences_per_step >= recipe.sequences
        if group.rank == 0 and (step % recipe.save_every == 0 or is_last):
            _save(path, masters, step)
    group.wait()


def _save(path: Path, masters: Masters, step: int) -> None:
    partial = path.with_suffix(".partial")
    save_file(masters.state(), partial, metadata={"step": str(step)})
    partial.replace(path)


def _resumed(path: Path, masters: Masters) -> int:
    """The step that the checkpoint was written after; 0 without one."""
    if not path.exists():
        return 0
    masters.load(load_file(path))
    with safe_open(path, framework="pt") as file:
        return int(file.metadata()["step"])

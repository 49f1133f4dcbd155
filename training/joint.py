"""The phases in which encoder and heads learn together, on the frozen backbone's features."""

import random
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from training.batches import Batch, Batches
from training.losses import losses
from training.optimiser import Masters
from training.recipe import Phase
from training.run import Run
from vl_core.families.kdvlp import KDVLPForTasks


def rate_scale(step: int, progress: float, ramp_steps: int, decay_share: float) -> float:
    """Share of the full learning rate: a short ramp, constant, then linearly to almost nothing."""
    ramp = min(1.0, (step + 1) / ramp_steps)
    return max(0.005, ramp * min(1.0, (1 - progress) / decay_share))


def checkpoint(folder: Path, phase: Phase) -> Path:
    """Where a phase keeps its masters."""
    return folder / f"{phase.name}.safetensors"


def train(run: Run, model: KDVLPForTasks, batches: Batches) -> None:
    """Train until the phase's sequences are seen, from its last checkpoint on.

    The model's backbone is frozen. What is left in the model are the masters' values, in bfloat16;
    the phase's checkpoint holds the masters themselves.
    """
    phase = batches.phase
    recipe, group = run.recipe, run.group
    model.set_attn_implementation("eager")  # sdpa's backward pass is slow on a CPU
    names = [name for name, value in model.named_parameters() if value.requires_grad]
    masters = Masters(
        model,
        names,
        muon_rate=phase.muon_rate,
        adam_rate=phase.adam_rate,
        weight_decay=recipe.weight_decay,
    )
    path = checkpoint(run.folder, phase)
    step = _resumed(path, masters)
    while (seen := step * recipe.sequences_per_step) < phase.sequences:
        scale = rate_scale(step, seen / phase.sequences, recipe.ramp_steps, phase.decay_share)
        rng = random.Random(f"{phase.name} {recipe.seed} {group.rank} {step}")
        parts = batches.parts(rng, group.share(recipe.pictures_per_step), seen)
        _learn(run, model, parts)
        masters.step(scale, group)
        step += 1
        if step % recipe.report_every == 0:
            run.log.report(
                phase.name,
                step=step,
                sequences=step * recipe.sequences_per_step,
                rate=round(scale, 3),
            )
        is_last = step * recipe.sequences_per_step >= phase.sequences
        if group.rank == 0 and (step % recipe.save_every == 0 or is_last):
            _save(path, masters, step)
    group.wait()


def _learn(run: Run, model: KDVLPForTasks, parts: list[Batch]) -> None:
    """The gradients of a step.

    Answers count alike in all parts. Of the other losses matching alone is in both: of captions in
    one, of sources (whether they show what is asked for) in the other.
    """
    n_answers = sum(part.n_answers for part in parts)
    for part in parts:
        found = losses(model, part.to(run.device), run.log)
        if "answers" in found:
            found["answers"] = found["answers"] * (part.n_answers / n_answers)
        sum(found.values()).backward()
        for name, loss in found.items():
            run.log.count(f"{name} loss", [loss.item()])


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

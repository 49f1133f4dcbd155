"""The third stage: the backbone learns to see the same in a picture whatever its look.

A copy of the backbone is shown pictures that are darker, brighter, compressed and so on, and is
taught to give the features that the original gives for the plain picture.
"""

import random
from copy import deepcopy

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from training.cache import Ragged
from training.labels import Labelled
from training.looks import any_look
from training.optimiser import Masters, as_bfloat16
from training.pictures import by_grid, pixel_values
from training.run import Run
from vl_core.families.kdvlp import KDVLPForTasks


def steady(run: Run, model: KDVLPForTasks, labelled: list[Labelled], pictures: Ragged) -> None:
    """Put the steadied backbone, trained or loaded, in place of the model's; it stays frozen."""
    backbone = model.kdvlp.backbone
    path = run.folder / "steady.safetensors"
    if not path.exists():
        pupil = deepcopy(backbone).requires_grad_(requires_grad=True).train()
        _train(run, backbone, pupil, labelled, pictures)
        if run.group.rank == 0:
            save_file({name: value.contiguous() for name, value in _weights(pupil)}, path)
        run.group.wait()
    backbone.load_state_dict(load_file(path))


def seen(picture: np.ndarray, rng: random.Random) -> np.ndarray:
    """The picture in a look drawn at random."""
    return np.asarray(any_look(rng)(Image.fromarray(picture)))


def _train(
    run: Run, teacher: nn.Module, pupil: nn.Module, labelled: list[Labelled], pictures: Ragged
) -> None:
    recipe, group, log = run.recipe, run.group, run.log
    as_bfloat16(pupil.to(memory_format=torch.channels_last))
    names = [name for name, _ in pupil.named_parameters()]
    masters = Masters(
        pupil,
        names,
        muon_rate=None,
        adam_rate=recipe.steady_rate,
        weight_decay=recipe.weight_decay,
    )
    groups = by_grid(range(len(labelled)), labelled)
    weights = [len(numbers) for numbers in groups.values()]
    for step in range(recipe.steady_steps):
        rng = random.Random(f"steady {recipe.seed} {group.rank} {step}")
        numbers = rng.choices(
            rng.choices(list(groups.values()), weights)[0], k=group.share(recipe.warmup_pictures)
        )
        plain = [np.asarray(pictures[number]) for number in numbers]
        with torch.no_grad():
            wanted = teacher(pixel_values(plain).to(run.device)).float()
        given = pupil(pixel_values([seen(one, rng) for one in plain]).to(run.device))
        loss = _unlikeness(given.float(), wanted)
        loss.backward()
        progress = step / recipe.steady_steps
        masters.step(min(1.0, (step + 1) / 40) * max(0.02, 1 - progress), group)
        log.count("unlikeness", [loss.item()])
        if (step + 1) % recipe.report_every == 0:
            log.report(f"steady step {step + 1}")


def _unlikeness(given: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference as a share of the wanted features' variance."""
    return (given - wanted).square().mean() / wanted.var()


def _weights(module: nn.Module) -> list[tuple[str, Tensor]]:
    return list(module.state_dict().items())

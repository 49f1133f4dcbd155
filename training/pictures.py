"""The first stage: scenes and their rendered pictures."""

import hashlib
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training import held_out
from training.cache import Ragged, chunks, write_chunks
from training.labels import Labelled
from training.recipe import Recipe, processor
from training.run import Run
from vl_core.datasets.scenes import TRAINING_SEEDS, scene


def training_scenes(recipe: Recipe) -> list[Labelled]:
    """The scenes that training draws from; making them again is quicker than reading them."""
    drawn = (scene(seed) for seed in TRAINING_SEEDS)
    fitting = (one for one in drawn if not held_out.shows(one, recipe.without_pairs))
    return [Labelled(one) for one in islice(fitting, recipe.n_scenes)]


def render(run: Run, labelled: list[Labelled]) -> Ragged:
    """All pictures, as 8-bit (height, width, 3); rendered where they are missing."""
    _check_same_scenes(run.folder / "scenes.sha256", labelled)
    pieces = chunks(len(labelled), run.recipe.chunk)
    write_chunks(
        run.folder / "pictures",
        pieces,
        run.group,
        lambda piece: [np.asarray(labelled[number].scene.render()) for number in piece],
    )
    run.group.wait()
    shapes = [(one.scene.height, one.scene.width, 3) for one in labelled]
    return Ragged(run.folder / "pictures", pieces, shapes)


def _check_same_scenes(path: Path, labelled: list[Labelled]) -> None:
    """Refuse pictures that another version of the generator drew: the labels would be wrong."""
    scenes = repr([one.scene for one in labelled])
    fingerprint = hashlib.sha256(scenes.encode()).hexdigest()
    if path.exists() and path.read_text(encoding="utf-8") != fingerprint:
        raise RuntimeError(
            f"{path.parent} holds the pictures of other scenes: the generator or their number "
            "has changed. Delete that folder or choose another one."
        )
    path.write_text(fingerprint, encoding="utf-8")


def pixel_values(pictures: list[np.ndarray]) -> Tensor:
    """Pictures of one size, normalised as the processor does: (picture, 3, height, width)."""
    images = processor().image_processor
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1) * 255
        for values in (images.image_mean, images.image_std)
    )
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return ((pixels - mean) / std).bfloat16().contiguous(memory_format=torch.channels_last)


def by_grid(
    numbers: list[int] | range, labelled: list[Labelled]
) -> dict[tuple[int, int], list[int]]:
    """Numbers of scenes, those of one size together."""
    groups: dict[tuple[int, int], list[int]] = {}
    for number in numbers:
        groups.setdefault(labelled[number].grid, []).append(number)
    return groups

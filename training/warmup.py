"""The second stage: the backbone learns what lies under each cell, then it is frozen."""

import random
from collections.abc import Callable

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from training.cache import Ragged, chunks, write_chunks
from training.labels import BACKGROUND, IGNORED, Labelled
from training.optimiser import Masters, as_bfloat16
from training.pictures import by_grid, pixel_values
from training.run import Run
from vl_core.families.kdvlp import KDVLPForTasks
from vl_core.families.kdvlp.heads import LabelHead

_BACKGROUND_WEIGHT = 0.15  # most cells are empty


class CellClassifier(nn.Module):
    """The model's backbone and projection under a head that is thrown away afterwards."""

    def __init__(self, model: KDVLPForTasks) -> None:
        super().__init__()
        self.backbone = model.kdvlp.backbone
        self.projection = model.kdvlp.embeddings.cells.projection
        self.head = LabelHead(model.config.hidden_size, model.config.object_classes)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Logits (picture x cell, class) of shape, color and size."""
        features = self.backbone(pixels).flatten(2).transpose(1, 2)
        return self.head.labels(self.projection(features).flatten(0, 1))


def warm_up(run: Run, model: KDVLPForTasks, labelled: list[Labelled], pictures: Ragged) -> None:
    """Train the backbone or load it; the model comes back in bfloat16, its backbone frozen."""
    classifier = CellClassifier(model).to(run.device)
    path = run.folder / "backbone.safetensors"
    if not path.exists():
        _train(run, classifier, labelled, pictures)
        if run.group.rank == 0:
            save_file(
                {name: value.contiguous() for name, value in classifier.state_dict().items()}, path
            )
        run.group.wait()
    classifier.load_state_dict(load_file(path))
    freeze(model)


def freeze(model: KDVLPForTasks) -> None:
    """Leave the backbone as it is from now on; the model computes in bfloat16."""
    as_bfloat16(model)
    model.kdvlp.backbone.requires_grad_(requires_grad=False).eval()


def _train(
    run: Run, classifier: CellClassifier, labelled: list[Labelled], pictures: Ragged
) -> None:
    recipe, group, log = run.recipe, run.group, run.log
    as_bfloat16(classifier.to(memory_format=torch.channels_last))
    names = [name for name, _ in classifier.named_parameters()]
    masters = Masters(
        classifier,
        names,
        muon_rate=None,
        adam_rate=recipe.warmup_rate,
        weight_decay=recipe.weight_decay,
    )
    groups = by_grid(range(len(labelled)), labelled)
    weights = [len(numbers) for numbers in groups.values()]
    for step in range(recipe.warmup_steps):
        rng = random.Random(f"warm-up {recipe.seed} {group.rank} {step}")
        numbers = rng.choices(
            rng.choices(list(groups.values()), weights)[0], k=group.share(recipe.warmup_pictures)
        )
        logits = classifier(pixel_values([pictures[number] for number in numbers]).to(run.device))
        labels = torch.from_numpy(
            np.concatenate([labelled[number].cell_labels for number in numbers], axis=1)
        )
        labels = labels.to(run.device)
        loss = _loss(logits, labels)
        loss.backward()
        progress = step / recipe.warmup_steps
        masters.step(min(1.0, (step + 1) / 40) * (1 - 0.9 * progress), group)
        log.count("loss", [loss.item()])
        for name, right in _right(logits, labels).items():
            log.count(name, right)
        if (step + 1) % recipe.report_every == 0:
            log.report(f"warm-up step {step + 1}")


def _loss(logits: tuple[Tensor, ...], labels: Tensor) -> Tensor:
    shape, color, size = (part.float() for part in logits)
    weight = torch.where(labels[0] == BACKGROUND, _BACKGROUND_WEIGHT, 1.0)
    each = functional.cross_entropy(shape, labels[0], reduction="none") + functional.cross_entropy(
        color, labels[1], reduction="none"
    )
    return (each * weight).sum() / weight.sum() + functional.cross_entropy(
        size, labels[2], ignore_index=IGNORED
    )


def _right(logits: tuple[Tensor, ...], labels: Tensor) -> dict[str, list[bool]]:
    """Which cells with an object are labelled right, and which are known to have one; a sample."""
    is_object = labels[0] != BACKGROUND
    right = [part.argmax(-1) == label for part, label in zip(logits, labels, strict=True)]
    result = {
        name: part[is_object][::7].tolist()
        for name, part in zip(("shape", "color", "size"), right, strict=True)
    }
    return result | {"object": ((logits[0].argmax(-1) != BACKGROUND) == is_object)[::50].tolist()}


@torch.inference_mode()
def features(
    run: Run,
    model: KDVLPForTasks,
    labelled: list[Labelled],
    pictures: Ragged,
    name: str,
    look: Callable[[np.ndarray, random.Random], np.ndarray] | None = None,
) -> Ragged:
    """The frozen backbone's features of all pictures: (cell, channel), bfloat16 as integers.

    They are kept under `name`; `look` changes what each picture looks like.
    """
    backbone = model.kdvlp.backbone.to(memory_format=torch.channels_last)

    def made(piece: range) -> list[np.ndarray]:
        found: dict[int, np.ndarray] = {}
        for numbers in by_grid(piece, labelled).values():
            for start in range(0, len(numbers), 64):
                batch = numbers[start : start + 64]
                output = backbone(pixel_values([seen(n) for n in batch]).to(run.device))
                cells = (
                    output.flatten(2).transpose(1, 2).contiguous().view(torch.int16).cpu().numpy()
                )
                found |= dict(zip(batch, cells, strict=True))
        return [found[number] for number in piece]

    def seen(number: int) -> np.ndarray:
        if look is None:
            return pictures[number]
        return look(np.asarray(pictures[number]), random.Random(f"{name} {number}"))

    pieces = chunks(len(labelled), run.recipe.chunk)
    write_chunks(run.folder / name, pieces, run.group, made)
    run.group.wait()
    channels = model.config.backbone_channels
    shapes = [(one.grid[0] * one.grid[1], channels) for one in labelled]
    return Ragged(run.folder / name, pieces, shapes)

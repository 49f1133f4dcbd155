"""Running the model on many texts and pictures, in batches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.labels import Labelled
from vl_core.datasets.scenes import Scene
from vl_core.families.kdvlp import KDVLPForTasks, KDVLPProcessor
from vl_core.families.kdvlp.segments import joined

BATCH = 32
HEADS = ("answer_logits", "matching_logits", "candidate_score", "source_score")
_GRAY = (166, 166, 166)  # the processor's mean

Scores = dict[str, Tensor]


@dataclass(frozen=True)
class Input:
    """What the model is given once: one to three texts, and a picture or none.

    tagged: the scene whose objects are called "[1]", "[2]" and so on in the texts.
    """

    texts: tuple[str, ...]
    picture: Image.Image | None
    tagged: Scene | None = None


@torch.inference_mode()
def scores(model: KDVLPForTasks, processor: KDVLPProcessor, given: Sequence[Input]) -> Scores:
    """What each of the HEADS says to each input: (input, ...)."""
    # Those without a picture cannot share a batch with the others.
    order = sorted(range(len(given)), key=lambda number: given[number].picture is None)
    found: list[list[Tensor]] = []
    for start, end in _batches([given[number].picture is None for number in order]):
        batch = [given[number] for number in order[start:end]]
        output = model(**inputs(processor, batch))
        found.append([output[name] for name in HEADS])
    back = torch.tensor(order).argsort()
    return {
        name: torch.cat(parts)[back]
        for name, parts in zip(HEADS, zip(*found, strict=True), strict=True)
    }


def inputs(processor: KDVLPProcessor, batch: Sequence[Input]) -> dict[str, Tensor]:
    """The tensors of a batch, padded; with pictures in all of them or in none."""
    texts = [joined(processor.tokenizer, one.texts) for one in batch]
    length = max(len(one.ids) for one in texts)
    padded = {
        "input_ids": [one.ids + [0] * (length - len(one.ids)) for one in texts],
        "token_type_ids": [one.types + [0] * (length - len(one.ids)) for one in texts],
        "attention_mask": [[1] * len(one.ids) + [0] * (length - len(one.ids)) for one in texts],
    }
    tensors = {name: torch.tensor(rows) for name, rows in padded.items()}
    pictures = [one.picture for one in batch if one.picture is not None]
    if not pictures:
        return tensors
    tensors |= processor.image_processor(pictures, return_tensors="pt")
    if any(one.tagged for one in batch):
        rows, columns = (side // 16 for side in tensors["pixel_values"].shape[2:])
        tensors["cell_tags"] = torch.stack([_tags(one.tagged, rows, columns) for one in batch])
    return tensors


def blank(scene: Scene) -> Image.Image:
    """A uniform picture of the scene's size."""
    return Image.new("RGB", (scene.width, scene.height), _GRAY)


def _tags(scene: Scene | None, rows: int, columns: int) -> Tensor:
    """Which tagged objects lie in each cell of a padded grid: (cell, tag)."""
    tags = np.zeros((rows, columns, 7), np.float32)
    if scene is not None:
        labelled = Labelled(scene)
        for one, covers in enumerate(labelled.covers):
            tags[: labelled.grid[0], : labelled.grid[1], one + 1] = covers.reshape(labelled.grid)
    return torch.from_numpy(tags.reshape(-1, 7))


def _batches(is_alone: list[bool]) -> list[tuple[int, int]]:
    """Start and end of each batch; none mixes the two kinds, which come one after the other."""
    turn = is_alone.index(True) if True in is_alone else len(is_alone)
    return [
        (start, min(start + BATCH, end))
        for first, end in ((0, turn), (turn, len(is_alone)))
        for start in range(first, end, BATCH)
    ]

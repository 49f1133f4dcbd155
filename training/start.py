"""Going on from a model that is there instead of from new weights."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from training.recipe import processor
from training.run import Run
from vl_core.datasets.scenes.words import TASK_WORDS
from vl_core.families.kdvlp import KDVLPForTasks

_WORDS = ("kdvlp.embeddings.text.word_embeddings.weight", "words.bias")


def keep_start(folder: Path, start: Path) -> None:
    """Keep what a run starts from in its folder, so that it can be resumed."""
    folder.mkdir(parents=True, exist_ok=True)
    if not _path(folder).exists():
        shutil.copyfile(start / "training.json", folder / "start.json")
        shutil.copyfile(start / "model.safetensors", _path(folder))


def has_start(folder: Path) -> bool:
    """Whether this run goes on from weights that were there."""
    return _path(folder).exists()


def start_hash(folder: Path) -> str | None:
    """SHA-256 of the weights that a run went on from."""
    return hashlib.sha256(_path(folder).read_bytes()).hexdigest() if has_start(folder) else None


def start_curve(folder: Path) -> list[dict[str, Any]] | None:
    """How the first phase of those weights went."""
    path = folder / "start.json"
    if not path.exists():
        return None
    history = json.loads(path.read_text(encoding="utf-8"))
    # Before there was a second phase, the file held one curve.
    return history["curves"]["questions"] if "curves" in history else history["curve"]


def load_start(run: Run, model: KDVLPForTasks) -> None:
    """Give the model those weights; words that they do not know yet keep their new vectors."""
    own = model.state_dict()
    found = {name: _filled_up(name, value, own[name]) for name, value in _weights(run).items()}
    missing, _ = model.load_state_dict(found, strict=False)
    if wrong := [name for name in missing if not name.startswith("words.")]:
        raise RuntimeError(f"the weights to start from lack {wrong[0]} and {len(wrong) - 1} more")


@torch.no_grad()
def renew_task_words(model: KDVLPForTasks, seed: int) -> None:
    """New vectors for the words that come with the second phase.

    What the first phase never shows, masked language modelling pushes into one direction (its table
    is the transposed word table), until these words cannot be told apart.
    """
    table = model.kdvlp.get_input_embeddings().weight
    numbers = processor().tokenizer.convert_tokens_to_ids(list(TASK_WORDS))
    others = torch.ones(len(table), dtype=torch.bool)
    others[numbers] = False
    spread = table[others.to(table.device)].float().std()
    drawn = torch.randn(len(numbers), table.shape[1], generator=torch.Generator().manual_seed(seed))
    table[numbers] = (drawn.to(spread.device) * spread).to(table.dtype)


def _weights(run: Run) -> dict[str, Tensor]:
    return load_file(_path(run.folder))


def _filled_up(name: str, value: Tensor, own: Tensor) -> Tensor:
    value = value.to(own.dtype)
    if name not in _WORDS or len(value) == len(own):
        return value
    return torch.cat([value, own[len(value) :]])


def _path(folder: Path) -> Path:
    return folder / "start.safetensors"

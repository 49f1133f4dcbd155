"""The files of a checkpoint: which ones from_pretrained reads, and whether all are there."""

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from safetensors import SafetensorError, safe_open

from vl_core.errors import ModelError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"

# Beside the weights. No code and no pickle: neither is ever fetched.
_SETTINGS = (
    "config.json",
    "generation_config.json",
    "*processor_config.json",
    "tokenizer*.json",
    "*.model",
    "chat_template*.json",
    "chat_template*.jinja",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
)
_FOLDERS = ("", "qformer_tokenizer")  # InstructBLIP keeps a second tokenizer


def settings(names: Iterable[str]) -> list[str]:
    """Those of the names, with slashes between folders, that are read beside the weights."""
    return [name for name in names if _is_setting(name)]


def _is_setting(name: str) -> bool:
    folder, _, base = name.rpartition("/")
    return folder in _FOLDERS and any(fnmatchcase(base, pattern) for pattern in _SETTINGS)


def read(folder: Path) -> list[str]:
    """The names of all that from_pretrained reads of this folder, in order.

    Notes beside it, such as how a model was trained, change nothing that it does.
    """
    below = [
        file.relative_to(folder).as_posix()
        for part in _FOLDERS
        for file in (folder / part).glob("*")
        if file.is_file()
    ]
    return sorted(name for name in below if _is_setting(name) or _is_weights(name))


def _is_weights(name: str) -> bool:
    return name.endswith((".safetensors", ".safetensors.index.json")) and "/" not in name


def shards(index: Path) -> list[str]:
    """The names of the files over which the weights are spread, as the index has them.

    Raises ModelError for an index that cannot be read or that names anything but neighbours.
    """
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        plain = all(Path(name).name == name and name.endswith(".safetensors") for name in names)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{index.name} is damaged: {error}. Fetch the checkpoint again."
        ) from error
    if not names or not plain:
        raise ModelError(
            f"{index.name} names the files {names}; wanted safetensors files of the same folder."
        )
    return names


def weights(folder: Path) -> list[Path]:
    """The files that hold the weights; raises ModelError if any is missing or cut short."""
    if (folder / WEIGHTS).is_file():
        names = [WEIGHTS]
    elif (folder / INDEX).is_file():
        names = shards(folder / INDEX)
    else:
        raise ModelError(
            f"{folder} holds no weights: neither {WEIGHTS} nor {INDEX} is there. Pickled weights "
            "(pytorch_model.bin) are refused: opening them can run code. Save the model with "
            "save_pretrained."
        )
    for name in names:
        _check_whole(folder / name)
    return [folder / name for name in names]


def is_complete(folder: Path) -> bool:
    """Whether configuration and weights are all there, none of the weights cut short."""
    try:
        return bool(weights(folder)) and (folder / "config.json").is_file()
    except ModelError:
        return False


def _check_whole(file: Path) -> None:
    """Raise ModelError unless the file is as long as its header says; reads only the header."""
    try:
        with safe_open(file, framework="np"):
            pass
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"The weights {file.name} are missing or damaged ({error}). Fetch the checkpoint again."
        ) from error

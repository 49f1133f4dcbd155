"""Reading a checkpoint's weights: all of them, from safetensors, and nothing made up."""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import torch
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    BaseImageProcessor,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from vl_core.errors import ModelError
from vl_core.families import Options, building, generation, prompts, siglip_tokenizer

M = TypeVar("M", bound=PreTrainedModel)
T = TypeVar("T")
_WHOLE = "tokenizer.json"  # a tokenizer in one file, as the tokenizers library writes it
_VOCABULARIES = (_WHOLE, "vocab.json", "vocab.txt", "*.model")


def of_architecture(path: Path, kinds: Mapping[str, T]) -> T:
    """That of the kinds which belongs to the class that the checkpoint was saved from.

    kinds: by the name of the class, as `architectures` in config.json calls it. Raises ModelError
    for a class that is none of them.
    """
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    names = config.get("architectures") or ["no class by name"]
    for name in names:
        if name in kinds:
            return kinds[name]
    raise ModelError(
        f"{path} was saved from {', '.join(map(str, names))}, which is not covered. Covered of "
        f"this type: {', '.join(kinds)}."
    )


def pretrained(kind: type[M], path: Path, options: Options, *, strict: bool = True) -> M:
    """The model in this folder, ready to run; in float32 unless the options say otherwise.

    strict: whether weights that the model has no place for are an error; published checkpoints
    carry some that older versions of a class needed. Raises OSError or ValueError for files that
    are missing, incomplete or contradict each other; damaged ones raise whatever transformers
    makes of them.
    """
    with building.alone():
        model, report = kind.from_pretrained(
            path,
            **{"dtype": torch.float32} | dict(options),
            local_files_only=True,
            use_safetensors=True,  # never a pickle
            output_loading_info=True,
        )
    # transformers would put random numbers in place of the missing, and drop the unexpected.
    for problem in ("missing", "mismatched", "unexpected") if strict else ("missing", "mismatched"):
        if names := sorted(map(str, report[f"{problem}_keys"])):
            raise ValueError(f"{len(names)} weights are {problem}, {names[0]} among them")
    generation.make_greedy(model)
    return model.eval()


def tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in this folder: one that says which characters each token stands for.

    Raises ModelError where the checkpoint brings none of that kind, or none that can be read.
    """
    if siglip_tokenizer.is_meant(path):
        _check_vocabulary(path)
        return siglip_tokenizer.load(path)
    _check_package(path)
    try:
        found = AutoTokenizer.from_pretrained(path, local_files_only=True)
    except Exception:  # of whatever kind: over a missing file it speaks of packages
        _check_vocabulary(path)
        raise
    if found.is_fast:  # of some classes it makes one up that knows no words
        _check_vocabulary(path)
    if not found.is_fast and (path / _WHOLE).exists():
        found = PreTrainedTokenizerFast.from_pretrained(path, local_files_only=True)
    if not found.is_fast:
        raise ModelError(
            f"The tokenizer of {path} is of the class {type(found).__name__}, which does not say "
            f"where in the text its tokens stand, and there is no {_WHOLE} beside it, which does. "
            "Save the checkpoint with a tokenizer of the tokenizers library."
        )
    return found


def _check_vocabulary(path: Path) -> None:
    """Raise ModelError where there is none in this folder."""
    if not any(file for kind in _VOCABULARIES for file in path.glob(kind)):
        raise ModelError(
            f"{path} holds no tokenizer ({_WHOLE}). Save it beside the weights with the "
            "tokenizer's save_pretrained."
        )


def _check_package(path: Path) -> None:
    """Raise ModelError for a vocabulary that takes a package of which transformers says nothing."""
    kept = sorted(file.name for file in path.glob("*.model"))
    if kept and not (path / _WHOLE).exists() and find_spec("sentencepiece") is None:
        raise ModelError(
            f"The vocabulary of {path} is kept as {kept[0]}, without a {_WHOLE}. To read it takes "
            "the package sentencepiece, which is not installed: pip install sentencepiece."
        )


def readers(path: Path) -> tuple[PreTrainedTokenizerBase, BaseImageProcessor]:
    """Tokenizer and image processor of a checkpoint.

    Pictures are always read with Pillow, so that a trace does not depend on whether torchvision is
    there.
    """
    pictures = AutoImageProcessor.from_pretrained(path, local_files_only=True, backend="pil")
    return tokenizer(path), pictures


def processors(
    path: Path, template: str, text_only: str
) -> tuple[PreTrainedTokenizerBase, BaseImageProcessor, Mapping[bool, str]]:
    """Tokenizer, image processor and prompts of a decoder's checkpoint.

    template, text_only: the prompt with a picture and without, for a checkpoint that brings none.
    """
    words, pictures = readers(path)
    found = prompts.chat_template(path, words)
    prompt = {
        has_picture: prompts.filled(words, found, with_picture=has_picture)
        or prompts.own_template(own)
        for has_picture, own in ((True, template), (False, text_only))
    }
    return words, pictures, prompt

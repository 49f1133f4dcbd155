"""Tiny checkpoints of every kind that generates, and how each is told what ends its answers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import BlipForConditionalGeneration, BlipForQuestionAnswering

from tests.families import test_blip, test_blip2, test_llava, tiny
from vl_core.families import Family


@dataclass(frozen=True)
class Kind:
    """save: writes a checkpoint into a folder. settings: of its model, where the end is named."""

    save: Callable[[Path], Path]
    settings: Callable[[Any], Any]
    name: str = "eos_token_id"

    def end_by(self, family: Family, token: int) -> None:
        """Let this token, by number, end what it says, and no other."""
        setattr(self.settings(family.model), self.name, token)


def _blip(kind: type) -> Kind:
    return Kind(
        lambda folder: test_blip.save(folder, kind),
        lambda model: model.config.text_config,
        "sep_token_id",
    )


def _blip2(text: dict[str, Any], tokenizer: Callable[[str], Any]) -> Kind:
    kinds = test_blip2.Blip2Config, test_blip2.Blip2ForConditionalGeneration
    return Kind(
        lambda folder: test_blip2.save(folder, *kinds, text, tokenizer("<image>")),
        lambda model: model.language_model.generation_config,
    )


KINDS = {
    "behind the prompt": Kind(test_llava.save, lambda model: model.generation_config),
    "a stream of its own": _blip(BlipForQuestionAnswering),
    "the rest of a caption": _blip(BlipForConditionalGeneration),
    "behind query tokens": _blip2(test_blip2.OPT, tiny.opt),
    "a stream of its own, behind query tokens": _blip2(test_blip2.T5, tiny.t5),
}
NEVER = -1  # a token that no model says

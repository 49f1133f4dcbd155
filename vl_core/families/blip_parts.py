"""What all BLIP models have in common: a vision tower, and parts of text that look at it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from PIL import Image
from torch import Tensor
from transformers import (
    BaseImageProcessor,
    BatchFeature,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from vl_core.capture import Door, Place, doors_of
from vl_core.example import Example
from vl_core.families import geometry, pairs
from vl_core.families.prompts import Prompt
from vl_core.trace import Prediction, TokenTable

TOWER = "vision tower"
START = "[DEC]"  # what BLIP calls the token that begins an answer; its tokenizer does not know it
_TOWER_LAYERS = "vision_model.encoder.layers"


class Part(NamedTuple):
    """A stack of text layers: which stream they read, where they are, which stream they look at."""

    stream: str
    layers: str
    looks_at: str | None


@dataclass(frozen=True)
class Blip(ABC):
    """One loaded checkpoint, ready to be traced; what it is asked for is its subclass's."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    image_processor: BaseImageProcessor
    name: str = "blip"

    architecture: ClassVar[type[PreTrainedModel]]
    parts: ClassVar[Sequence[Part]]

    @abstractmethod
    def inputs(self, example: Example) -> BatchFeature:
        """What the model is fed, a batch of one; raises TextError or ImageError."""

    @abstractmethod
    def answered(self, inputs: BatchFeature) -> BatchFeature:
        """The inputs with what the model says to them, if it says anything."""

    @abstractmethod
    def texts(self, example: Example, inputs: BatchFeature) -> dict[str, TokenTable]:
        """The tokens of each stream of text."""

    @abstractmethod
    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x answer: what the answer, or its first token, is chosen by."""

    @abstractmethod
    def prediction(
        self, example: Example, inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """What the model says."""

    def read(self, example: Example, room: int = 0) -> tuple[BatchFeature, Tensor]:
        """What the tower is fed, and the text's tokens by number, [CLS] and [SEP] around them.

        room: for how many more tokens there must be place. Raises TextError if the text is too
        long or holds signs of the model's own, ImageError without a picture.
        """
        pictures = self.image_processor(pairs.picture(example), return_tensors="pt")
        limit = self.model.config.text_config.max_position_embeddings - room
        ids = pairs.token_ids(self.tokenizer, sentence(example), limit)
        return BatchFeature({"pixel_values": pictures["pixel_values"]}), torch.tensor([ids])

    def seen(self, example: Example) -> Image.Image:
        """The picture as the model sees it: squeezed into a square."""
        pixels = self.image_processor(pairs.picture(example), return_tensors="pt")["pixel_values"]
        return geometry.picture(self.image_processor, pixels[0])

    def streams(self, example: Example, inputs: BatchFeature) -> dict[str, TokenTable]:
        """The streams of text; a class token and the patches row by row."""
        frame = geometry.as_processed(self.image_processor, pairs.picture(example).size)
        side = self.model.config.vision_config.patch_size
        patches = geometry.patches(frame.squares(side))
        tower = TokenTable.joined([geometry.specials("class"), patches])
        return {**self.texts(example, inputs), TOWER: tower}

    @property
    def start(self) -> int:
        """The token that everything the model says begins with, by number."""
        return int(self.model.config.text_config.bos_token_id)

    def start_token(self) -> TokenTable:
        """The same by name."""
        return geometry.specials(str(self.tokenizer.convert_ids_to_tokens(self.start) or START))

    def places(self, module_name: str) -> tuple[Place, ...]:
        """The layers of the tower, and of each part its looks at itself and at another stream."""
        if found := re.fullmatch(rf"{re.escape(_TOWER_LAYERS)}\.(\d+)\.self_attn", module_name):
            return (Place(TOWER, TOWER, TOWER, int(found[1])),)
        for stream, layers, looks_at in self.parts:
            pattern = rf"{re.escape(layers)}\.(\d+)\.(cross)?attention\.self"
            if found := re.fullmatch(pattern, module_name):
                return _text_place(stream, looks_at if found[2] else stream, int(found[1]))
        return ()

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """Around each layer; the tower's last state is taken before its final norm."""
        paths = {TOWER: _TOWER_LAYERS} | {part.stream: part.layers for part in self.parts}
        return {
            stream: doors_of([f"{path}.{i}" for i in range(len(self.model.get_submodule(path)))])
            for stream, path in paths.items()
        }

    def preprocessing(self) -> dict[str, Any]:
        """The settings of the image processor, and how answers are generated."""
        return {
            "image_processor": geometry.settings(self.image_processor),
            "generated": "greedy",
        }


def _text_place(stream: str, looks_at: str | None, layer: int) -> tuple[Place, ...]:
    if looks_at is None:
        return ()
    name = stream if looks_at == stream else f"{stream}<-{looks_at}"
    return (Place(name, stream, looks_at, layer),)


def sentence(example: Example) -> Prompt:
    """The example's text, read as it is."""
    return Prompt(example.text, 0, example.text)

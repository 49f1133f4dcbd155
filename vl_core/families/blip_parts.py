"""What all BLIP models have in common: a vision tower, and parts of text that look at it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from torch import Tensor
from transformers import BatchFeature, PreTrainedModel

from vl_core.capture import Door, Place
from vl_core.example import Example
from vl_core.families import geometry, layers, pairs
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
class Blip(pairs.Paired, ABC):
    """One loaded checkpoint, ready to be traced; what it is asked for is its subclass's."""

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

    def read(self, example: Example, room: int = 0) -> BatchFeature:
        """The text's tokens, [CLS] and [SEP] around them, and what the tower is fed.

        room: for how many more tokens there must be place. Raises TextError if the text is too
        long or holds signs of the model's own, ImageError without a picture.
        """
        pixels = self.features(example)["pixel_values"]
        limit = self.model.config.text_config.max_position_embeddings - room
        inputs = pairs.words(self.tokenizer, self.sentence(example.text), limit)
        inputs["pixel_values"] = pixels
        return inputs

    def streams(self, example: Example, inputs: BatchFeature) -> dict[str, TokenTable]:
        """The streams of text; a class token and the patches row by row."""
        tower = TokenTable.joined([geometry.specials("class"), self.patches(example)])
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
        found = layers.places(module_name, _TOWER_LAYERS, "self_attn", TOWER)
        for stream, path, looks_at in self.parts:
            found += layers.places(module_name, path, "attention.self", stream)
            if looks_at is not None:
                found += layers.places(module_name, path, "crossattention.self", stream, looks_at)
        return found

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """Around each layer; the tower's last state is taken before its final norm."""
        paths = {TOWER: _TOWER_LAYERS} | {part.stream: part.layers for part in self.parts}
        return {stream: layers.doors(self.model, path) for stream, path in paths.items()}

    def preprocessing(self) -> dict[str, Any]:
        """The settings of the image processor."""
        return {"image_processor": geometry.settings(self.image_processor)}

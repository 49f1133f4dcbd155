"""Any encoder that reads words and patches in one sequence, by a declaration of its parts.

It is enough for an architecture of one's own with a fixed list of answers; `docs/families.md` goes
through an example.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from transformers import BatchFeature, PreTrainedModel, PreTrainedTokenizerBase

from vl_core.capture import Door, Place
from vl_core.example import Example
from vl_core.families import geometry, layers, pairs
from vl_core.families.answers import likeliest
from vl_core.families.prompts import Prompt
from vl_core.trace import Prediction, TokenTable

STREAM = "encoder"


@dataclass(frozen=True)
class Pictures:
    """How pictures come into the model.

    pixels: 1 x 3 x height x width of a picture, values 0..1 before `normalised`. frame: where those
    pixels lie in a picture of this size. patch: side of a patch in those pixels.
    """

    pixels: Callable[[Image.Image], Tensor]
    frame: Callable[[geometry.Size], geometry.Frame]
    patch: int
    normalised: Callable[[Tensor], Tensor] = lambda pixels: pixels

    def patches(self, size: geometry.Size) -> TokenTable:
        """The patches of a picture of this size, row by row."""
        return geometry.patches(self.frame(size).squares(self.patch))

    def seen(self, picture: Image.Image) -> Image.Image:
        """The picture as the model sees it."""
        values = self.pixels(picture)[0].movedim(0, -1).numpy()
        return Image.fromarray((values * 255).round().clip(0, 255).astype(np.uint8))


@dataclass(frozen=True)
class SingleStream(pairs.Choosing):
    """One loaded checkpoint of such an architecture.

    sequence: the parts in their order: "text" for the tokenizer's tokens, "patches" for the
    patches row by row, any other name for a special token that the model adds. layers: the name of
    the module list; attention: what the module that calls the attention function is called in
    each. answers: what the logits stand for. longest: how many text tokens fit.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    pictures: Pictures
    sequence: Sequence[str]
    layers: str
    attention: str
    answers: Sequence[str]
    longest: int

    def inputs(self, example: Example) -> BatchFeature:
        """Words by number and, if there is a picture, its pixels.

        Raises TextError if the text is too long or holds signs of the model's own.
        """
        inputs = pairs.words(self.tokenizer, Prompt.whole(example.text), self.longest)
        if example.image is not None:
            pixels = self.pictures.pixels(example.image)
            inputs["pixel_values"] = self.pictures.normalised(pixels)
        return inputs

    def seen(self, example: Example) -> Image.Image | None:
        """The picture as the model sees it, None without one."""
        return None if example.image is None else self.pictures.seen(example.image)

    def streams(self, example: Example, _inputs: BatchFeature, /) -> dict[str, TokenTable]:
        """The one stream, its parts in their order; without a picture only the text."""
        words = Prompt.whole(example.text).tokens(self.tokenizer)
        if example.size is None:
            return {STREAM: words}
        known = {"text": words, "patches": self.pictures.patches(example.size)}
        parts = [known.get(part, geometry.specials(part)) for part in self.sequence]
        return {STREAM: TokenTable.joined(parts)}

    def places(self, module_name: str) -> tuple[Place, ...]:
        """The layers, as they are counted in the model."""
        return layers.places(module_name, self.layers, self.attention, STREAM)

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """Around each layer."""
        return {STREAM: layers.doors(self.model, self.layers)}

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x answer."""
        logits: Tensor = outputs["logits"]
        return logits

    def prediction(
        self, _example: Example, _inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The likeliest of the answers."""
        return likeliest(self.answer_logits(outputs)[0], self.answers)

    def preprocessing(self) -> dict[str, Any]:
        """The order of the sequence and the side of a patch."""
        return {
            "sequence": list(self.sequence),
            "patch": self.pictures.patch,
            "max_text_tokens": self.longest,
        }

"""CLIP and SigLIP: a tower for the text and one for the picture, which never see each other.

What they make of both is compared; how alike it is is all they say. SigLIP's picture tower sums
its patches up by a probe that looks at them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import BatchFeature, CLIPModel, PreTrainedModel, SiglipModel

from vl_core.capture import Door, Place
from vl_core.example import Example, Task
from vl_core.families import Options, geometry, layers, model_type, pairs
from vl_core.families.decoder import POOLING, TOWER
from vl_core.families.loading import pretrained, readers
from vl_core.trace import Prediction, TokenTable

TEXT = "text"
CLASSES: Mapping[str, type[PreTrainedModel]] = {"clip": CLIPModel, "siglip": SiglipModel}
_LAYERS = {TEXT: "text_model.encoder.layers", TOWER: "vision_model.encoder.layers"}
_PROBE = "vision_model.head.attention"


@dataclass(frozen=True)
class Towers(pairs.Paired, pairs.Choosing):
    """One loaded checkpoint, ready to be traced."""

    name: str

    scored_tasks: ClassVar[frozenset[Task]] = pairs.SCORED_TASKS

    def inputs(self, example: Example) -> BatchFeature:
        """The text's tokens and the picture's pixels.

        SigLIP always reads a text of full length, filled up with padding that it does look at.
        Raises TextError if the text is too long or holds signs of the model's own, ImageError
        without a picture.
        """
        pixels = self.features(example)["pixel_values"]
        ids = pairs.token_ids(self.tokenizer, self.sentence(example.text), self._longest)
        filler = [int(self.tokenizer.pad_token_id)] * self._n_filled(len(ids))
        inputs = BatchFeature({"input_ids": torch.tensor([ids + filler])})
        if self.name == "clip":
            inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        inputs["pixel_values"] = pixels
        return inputs

    @property
    def _longest(self) -> int:
        return int(self.model.config.text_config.max_position_embeddings)

    def _n_filled(self, count: int) -> int:
        """How many tokens of padding the model reads behind so many."""
        return self._longest - count if self.name == "siglip" else 0

    def streams(self, example: Example, _inputs: BatchFeature, /) -> dict[str, TokenTable]:
        """The text; the patches row by row, behind a class token or with a probe of their own."""
        words = self.sentence(example.text).tokens(self.tokenizer)
        padding = geometry.specials(*["padding"] * self._n_filled(len(words)))
        patches = self.patches(example)
        text = TokenTable.joined([words, padding])
        if self.name == "clip":
            return {TEXT: text, TOWER: TokenTable.joined([geometry.specials("class"), patches])}
        return {TEXT: text, TOWER: patches, POOLING: geometry.specials("probe")}

    def places(self, module_name: str) -> tuple[Place, ...]:
        """The layers of both towers, and where SigLIP's probe looks at the patches."""
        for stream, path in _LAYERS.items():
            if found := layers.places(module_name, path, "self_attn", stream):
                return found
        is_probe = module_name == _PROBE
        return (Place(f"{POOLING}<-{TOWER}", POOLING, TOWER, 0),) if is_probe else ()

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """Around each layer; the last state of each tower is taken before its final norm."""
        return {stream: layers.doors(self.model, path) for stream, path in _LAYERS.items()}

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Picture x text: the scaled similarity, of each picture of the batch with each text."""
        logits: Tensor = outputs["logits_per_image"]
        return logits

    def prediction(
        self, example: Example, inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The cosine between what the towers make of picture and text."""
        return Prediction("similarity", ((example.text, self.score(example, inputs, outputs)),))

    def score(
        self, _example: Example, _inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> float:
        """The same cosine, of the picture with the whole text in all its parts."""
        return float((outputs["image_embeds"][0] * outputs["text_embeds"][0]).float().sum())

    def preprocessing(self) -> dict[str, Any]:
        """The settings of the image processor, and how long the text is made."""
        return {
            "image_processor": geometry.settings(self.image_processor),
            "max_text_tokens": self._longest,
            "text_is_filled_up": self.name == "siglip",
        }


def load(path: Path, options: Options) -> Towers:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does."""
    kind = model_type(path)
    model = pretrained(CLASSES[kind], path, options, strict=False)
    return Towers(model, *readers(path), kind)

"""LXMERT: a stream of words and one of a detector's regions, which then look at each other."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    BatchFeature,
    LxmertForPreTraining,
    LxmertForQuestionAnswering,
    PreTrainedModel,
)

from vl_core.capture import Door, Place
from vl_core.example import Example
from vl_core.families import Options, layers, pairs, regions
from vl_core.families.answers import likeliest
from vl_core.families.loading import of_architecture, pretrained, tokenizer
from vl_core.families.prompts import Prompt
from vl_core.trace import Prediction, TokenTable

LANGUAGE, VISION = "language", "vision"
_ENCODER = "lxmert.encoder"
_ATTENTION = re.compile(rf"{re.escape(_ENCODER)}\.(\w+)\.(\d+)\.(.+)")
KINDS: Mapping[str, type[PreTrainedModel]] = {
    "LxmertForQuestionAnswering": LxmertForQuestionAnswering,
    "LxmertForPreTraining": LxmertForPreTraining,
}


@dataclass(frozen=True)
class Lxmert(regions.Reader):
    """One loaded checkpoint, ready to be traced.

    Each stream has layers of its own, then layers in which it looks at the other and again at
    itself; the latter are counted on from the former.
    """

    name: str = "lxmert"

    @property
    def feature_width(self) -> int:
        """How many numbers it reads of each region."""
        return int(self.model.config.visual_feat_dim)

    def inputs(self, example: Example) -> BatchFeature:
        """The text between [CLS] and [SEP]; features and places of the regions.

        Places are left, top, right, bottom as shares of the picture. Raises TextError if the text
        is too long or holds signs of the model's own, ImageError without a picture or regions, or
        with others than it reads.
        """
        limit = self.model.config.max_position_embeddings
        inputs = pairs.words(self.tokenizer, Prompt.whole(example.text), limit)
        found = regions.detections(example, self.feature_width)
        shares = found.boxes / np.tile(pairs.picture(example).size, 2)
        inputs["visual_feats"] = regions.features(found)
        inputs["visual_pos"] = torch.from_numpy(shares.astype(np.float32))[None]
        return inputs

    def streams(self, example: Example, _inputs: BatchFeature, /) -> dict[str, TokenTable]:
        """Words, and regions."""
        found = regions.detections(example, self.feature_width)
        return {
            LANGUAGE: Prompt.whole(example.text).tokens(self.tokenizer),
            VISION: regions.tokens(found, pairs.picture(example).size),
        }

    def places(self, module_name: str) -> tuple[Place, ...]:
        """Where each module belongs; the one that looks across looks both ways, words first."""
        found = _ATTENTION.fullmatch(module_name)
        if found is None:
            return ()
        of_language, of_vision = self.model.config.l_layers, self.model.config.r_layers
        number = int(found[2])
        known = {
            ("layer", "attention.self"): (_itself(LANGUAGE, number),),
            ("r_layers", "attention.self"): (_itself(VISION, number),),
            ("x_layers", "lang_self_att.self"): (_itself(LANGUAGE, of_language + number),),
            ("x_layers", "visn_self_att.self"): (_itself(VISION, of_vision + number),),
            ("x_layers", "visual_attention.att"): (
                Place(f"{LANGUAGE}<-{VISION}", LANGUAGE, VISION, number),
                Place(f"{VISION}<-{LANGUAGE}", VISION, LANGUAGE, number),
            ),
        }
        return known.get((found[1], found[3]), ())

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """Around each stream's own layers, then behind each layer across."""
        across = [f"{_ENCODER}.x_layers.{i}" for i in range(self.model.config.x_layers)]
        return {
            stream: (
                *layers.doors(self.model, f"{_ENCODER}.{own}"),
                *(Door(layer, result=result) for layer in across),
            )
            for result, (stream, own) in enumerate(((LANGUAGE, "layer"), (VISION, "r_layers")))
        }

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x answer, read off the first token of the text."""
        logits: Tensor = outputs["question_answering_score"]
        return logits

    def prediction(
        self, _example: Example, _inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The likeliest answers; those that the checkpoint has no names for by their number."""
        logits = self.answer_logits(outputs)[0]
        known = self.model.config.id2label
        names = {i: known.get(i, f"answer {i}") for i in range(len(logits))}
        return likeliest(logits, names)

    def preprocessing(self) -> dict[str, Any]:
        """What is read of each region."""
        return {"region_features": self.feature_width, "region_places": "shares of the picture"}


def _itself(stream: str, layer: int) -> Place:
    return Place(stream, stream, stream, layer)


def load(path: Path, options: Options) -> Lxmert:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does.

    Raises ModelError besides for a checkpoint that was saved from none of the KINDS.
    """
    model = pretrained(of_architecture(path, KINDS), path, options, strict=False)
    return Lxmert(model, tokenizer(path))

"""VisualBERT: words, then the regions that a detector found, in one stream of one encoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    BatchFeature,
    PreTrainedModel,
    VisualBertForPreTraining,
    VisualBertForQuestionAnswering,
)

from vl_core.capture import Door, Place
from vl_core.example import Example
from vl_core.families import Options, layers, pairs, regions
from vl_core.families.answers import likeliest
from vl_core.families.loading import of_architecture, pretrained, tokenizer
from vl_core.families.prompts import Prompt
from vl_core.trace import Prediction, TokenTable

STREAM = "encoder"
_LAYERS = "visual_bert.encoder.layer"
KINDS: Mapping[str, type[PreTrainedModel]] = {
    "VisualBertForQuestionAnswering": VisualBertForQuestionAnswering,
    "VisualBertForPreTraining": VisualBertForPreTraining,
}


@dataclass(frozen=True)
class VisualBert(regions.Reader):
    """One loaded checkpoint, ready to be traced: for questions, or for whether a text matches."""

    name: str = "visual_bert"

    @property
    def feature_width(self) -> int:
        """How many numbers it reads of each region."""
        return int(self.model.config.visual_embedding_dim)

    def inputs(self, example: Example) -> BatchFeature:
        """The text between [CLS] and [SEP], and the features of the regions.

        Raises TextError if the text is too long or holds signs of the model's own, ImageError
        without regions, or with others than it reads.
        """
        limit = self.model.config.max_position_embeddings
        inputs = pairs.words(self.tokenizer, Prompt.whole(example.text), limit)
        found = regions.features(regions.detections(example, self.feature_width))
        is_region = torch.ones(found.shape[:2], dtype=torch.long)
        inputs["visual_embeds"] = found
        inputs["visual_token_type_ids"] = inputs["visual_attention_mask"] = is_region
        return inputs

    def streams(self, example: Example, _inputs: BatchFeature, /) -> dict[str, TokenTable]:
        """The one stream: words, then regions."""
        words = Prompt.whole(example.text).tokens(self.tokenizer)
        found = regions.detections(example, self.feature_width)
        size = pairs.picture(example).size
        return {STREAM: TokenTable.joined([words, regions.tokens(found, size)])}

    def places(self, module_name: str) -> tuple[Place, ...]:
        """The layers of the encoder."""
        return layers.places(module_name, _LAYERS, "attention.self", STREAM)

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """Around each layer."""
        return {STREAM: layers.doors(self.model, _LAYERS)}

    @property
    def _is_matching(self) -> bool:
        return isinstance(self.model, VisualBertForPreTraining)

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x answer; for matching, sequence x (match, no match)."""
        logits: Tensor = outputs["seq_relationship_logits" if self._is_matching else "logits"]
        return logits

    def prediction(
        self, _example: Example, _inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The likeliest answers, or the verdict of the head that was trained to match."""
        logits = self.answer_logits(outputs)[0]
        if self._is_matching:
            return pairs.match(float(logits.float().softmax(dim=-1)[0]))
        return likeliest(logits, self.model.config.id2label)

    def preprocessing(self) -> dict[str, Any]:
        """What is read of each region."""
        return {"region_features": self.feature_width}


def load(path: Path, options: Options) -> VisualBert:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does.

    Raises ModelError besides for a checkpoint that was saved from none of the KINDS.
    """
    model = pretrained(of_architecture(path, KINDS), path, options, strict=False)
    return VisualBert(model, tokenizer(path))

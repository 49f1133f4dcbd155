"""VisualBERT: words, then the regions that a detector found, in one stream of one encoder."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import (
    AutoTokenizer,
    BatchFeature,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    VisualBertForPreTraining,
    VisualBertForQuestionAnswering,
)

from vl_core.capture import Door, Place, doors_of
from vl_core.example import Example
from vl_core.families import Options, pairs, regions
from vl_core.families.answers import likeliest
from vl_core.families.loading import of_architecture, pretrained
from vl_core.families.prompts import Prompt
from vl_core.trace import Prediction, TokenTable

STREAM = "encoder"
_LAYERS = "visual_bert.encoder.layer"
_ATTENTION = re.compile(rf"{re.escape(_LAYERS)}\.(\d+)\.attention\.self")
MATCHES = ("match", "no match")  # what the sentence-image head was trained to tell apart
KINDS: Mapping[str, type[PreTrainedModel]] = {
    "VisualBertForQuestionAnswering": VisualBertForQuestionAnswering,
    "VisualBertForPreTraining": VisualBertForPreTraining,
}


@dataclass(frozen=True)
class VisualBert:
    """One loaded checkpoint, ready to be traced: for questions, or for whether a text matches."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
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
        sentence = Prompt(example.text, 0, example.text)
        limit = self.model.config.max_position_embeddings
        ids = torch.tensor([pairs.token_ids(self.tokenizer, sentence, limit)])
        found = regions.features(regions.detections(example, self.feature_width))
        is_region = torch.ones(found.shape[:2], dtype=torch.long)
        return BatchFeature(
            {
                "input_ids": ids,
                "attention_mask": torch.ones_like(ids),
                "visual_embeds": found,
                "visual_token_type_ids": is_region,
                "visual_attention_mask": is_region,
            }
        )

    def answered(self, inputs: BatchFeature) -> BatchFeature:
        """The inputs as they are: answers are chosen from a list."""
        return inputs

    def seen(self, example: Example) -> Image.Image | None:
        """The picture; the model itself sees what the detector made of it."""
        return example.image

    def streams(self, example: Example, _inputs: BatchFeature, /) -> dict[str, TokenTable]:
        """The one stream: words, then regions."""
        words = Prompt(example.text, 0, example.text).tokens(self.tokenizer)
        found = regions.detections(example, self.feature_width)
        size = pairs.picture(example).size
        return {STREAM: TokenTable.joined([words, regions.tokens(found, size)])}

    def places(self, module_name: str) -> tuple[Place, ...]:
        """The layers of the encoder."""
        found = _ATTENTION.fullmatch(module_name)
        return (Place(STREAM, STREAM, STREAM, int(found[1])),) if found else ()

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """Around each layer."""
        count = self.model.config.num_hidden_layers
        return {STREAM: doors_of([f"{_LAYERS}.{i}" for i in range(count)])}

    @property
    def _answers(self) -> Mapping[int, str]:
        is_matching = isinstance(self.model, VisualBertForPreTraining)
        return dict(enumerate(MATCHES)) if is_matching else self.model.config.id2label

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x answer; for matching, sequence x (match, no match)."""
        is_matching = isinstance(self.model, VisualBertForPreTraining)
        logits: Tensor = outputs["seq_relationship_logits" if is_matching else "logits"]
        return logits

    def prediction(
        self, _example: Example, _inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The likeliest answers."""
        return likeliest(self.answer_logits(outputs)[0], self._answers)

    def preprocessing(self) -> dict[str, Any]:
        """What is read of each region."""
        return {"region_features": self.feature_width}


def load(path: Path, options: Options) -> VisualBert:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does.

    Raises ModelError besides for a checkpoint that was saved from none of the KINDS.
    """
    model = pretrained(of_architecture(path, KINDS), path, options, strict=False)
    return VisualBert(model, AutoTokenizer.from_pretrained(path, local_files_only=True))

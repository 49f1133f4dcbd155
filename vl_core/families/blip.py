"""BLIP: a picture that is asked about, that is given a caption, or that is matched with a text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from transformers import (
    BaseImageProcessor,
    BatchFeature,
    BlipConfig,
    BlipForConditionalGeneration,
)

from vl_core.example import Example, Task
from vl_core.families import Options, generation, pairs, prompts
from vl_core.families.blip_models import WithLogits, WithSimilarity, sharing_weights
from vl_core.families.blip_parts import TOWER, Blip, Part
from vl_core.families.loading import of_architecture, pretrained, readers
from vl_core.trace import Prediction, TokenTable


@dataclass(frozen=True)
class Speaking(generation.Generating, Blip):
    """What generates text, token by token."""

    @property
    def most_tokens(self) -> int:
        """As many as follow the token that the text begins with."""
        return int(self.model.config.text_config.max_position_embeddings) - 1

    @property
    def growing_stream(self) -> str:
        """The stream that the text joins: that of the decoder, which comes last."""
        return self.parts[-1].stream

    def spoken(
        self, answer: Sequence[int], logits: Tensor, before: Sequence[int] = ()
    ) -> Prediction:
        """The text, token by token; as `generation.spoken`. [SEP] ends it, as generate() has it."""
        ends = (self.model.config.text_config.sep_token_id,)
        return generation.spoken(self.tokenizer, answer, logits, ends, before)

    def preprocessing(self) -> dict[str, Any]:
        """As of all of them, and how text is generated."""
        return super().preprocessing() | generation.settings(self.longest_answer)


class Answering(Speaking):
    """A question that looks at the picture, and a generated answer that looks at the question."""

    architecture = WithLogits
    parts = (
        Part("question", "text_encoder.encoder.layer", TOWER),
        Part("answer", "text_decoder.bert.encoder.layer", "question"),
    )

    def inputs(self, example: Example) -> BatchFeature:
        """The question, the picture, and the token that the answer begins with."""
        inputs = self.read(example)
        inputs["decoder_input_ids"] = torch.tensor([[self.start]])
        return inputs

    def answered(self, inputs: BatchFeature) -> BatchFeature:
        """The inputs with the model's likeliest answer for the decoder to read."""
        asked = {name: value for name, value in inputs.items() if name != "decoder_input_ids"}
        found = generation.generated(self.model, self.longest_answer, **asked)
        return BatchFeature(asked | {"decoder_input_ids": found})

    def texts(self, example: Example, inputs: BatchFeature) -> dict[str, TokenTable]:
        """The question between [CLS] and [SEP]; the answer behind the token it begins with."""
        answer = prompts.generated_tokens(self.tokenizer, _said(inputs["decoder_input_ids"], 1))
        return {
            "question": self.sentence(example.text).tokens(self.tokenizer),
            "answer": TokenTable.joined([self.start_token(), answer]),
        }

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x vocabulary: what the first token of the answer is chosen by."""
        logits: Tensor = outputs["logits"][:, -1]
        return logits

    def prediction(
        self, _example: Example, inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The answer, token by token."""
        answer = _said(inputs["decoder_input_ids"], 1)
        return self.spoken(answer, outputs["logits"][0])


class Captioning(Speaking):
    """A caption that looks at the picture; the example's text is its beginning."""

    architecture = BlipForConditionalGeneration
    parts = (Part("text", "text_decoder.bert.encoder.layer", TOWER),)

    def inputs(self, example: Example) -> BatchFeature:
        """The picture and the beginning of its caption, as the model's own generate() makes it."""
        inputs = self.read(example, room=self.longest_answer)
        ids = inputs["input_ids"][:, :-1]  # nothing has ended
        ids[:, 0] = self.start
        return BatchFeature({**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)})

    def answered(self, inputs: BatchFeature) -> BatchFeature:
        """The inputs with the likeliest rest of the caption behind its beginning."""
        # generate() takes the last token for the [SEP] that a tokenizer adds, and drops it.
        given = torch.nn.functional.pad(inputs["input_ids"], (0, 1))
        pixels = {"pixel_values": inputs["pixel_values"]}
        found = generation.generated(self.model, self.longest_answer, **pixels, input_ids=given)
        return BatchFeature({"input_ids": found, "attention_mask": torch.ones_like(found)} | pixels)

    def texts(self, example: Example, inputs: BatchFeature) -> dict[str, TokenTable]:
        """The token that captions begin with, the text, and what was generated."""
        beginning = self.sentence(example.text).tokens(self.tokenizer)
        beginning = beginning.chosen(np.arange(1, len(beginning) - 1))
        read = 1 + len(beginning)
        said = _said(inputs["input_ids"], read)
        caption = prompts.generated_tokens(self.tokenizer, said, _before(inputs, read))
        return {"text": TokenTable.joined([self.start_token(), beginning, caption])}

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x vocabulary: what the first generated token is chosen by."""
        logits: Tensor = outputs["logits"][:, -1]
        return logits

    def prediction(
        self, example: Example, inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The rest of the caption, token by token."""
        read = len(self.sentence(example.text).ids(self.tokenizer)) - 1
        answer = _said(inputs["input_ids"], read)
        before = _before(inputs, read)
        return self.spoken(answer, outputs["logits"][0], before)


class Matching(pairs.Choosing, Blip):
    """Says whether text and picture belong together, by a text that looks at the picture.

    The text is read once more alone; the cosine between that and the picture comes besides.
    """

    architecture = WithSimilarity
    parts = (
        Part("text", "text_encoder.encoder.layer", TOWER),
        Part("text alone", "text_alone.encoder.layer", None),
    )
    scored_tasks: ClassVar[frozenset[Task]] = pairs.SCORED_TASKS

    def inputs(self, example: Example) -> BatchFeature:
        """Text and picture."""
        return self.read(example)

    def texts(self, example: Example, _inputs: BatchFeature) -> dict[str, TokenTable]:
        """The text between [CLS] and [SEP], twice."""
        table = self.sentence(example.text).tokens(self.tokenizer)
        return {part.stream: table for part in self.parts}

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x (no match, match), read off the text's first token."""
        logits: Tensor = outputs["itm_score"]
        return logits

    def prediction(
        self, example: Example, inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """Whether they belong together, and the cosine of the two that never met."""
        share = self.score(example, inputs, outputs)
        return pairs.match(share, similarity=float(outputs["similarity"][0]))

    def score(
        self, _example: Example, _inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> float:
        """The probability that the whole text, in all its parts, matches the picture."""
        return float(outputs["itm_score"][0].double().softmax(dim=-1)[1])


def _said(ids: Tensor, before: int) -> list[int]:
    """The tokens from there on, by number."""
    found: list[int] = ids[0, before:].tolist()
    return found


def _before(inputs: BatchFeature, count: int) -> list[int]:
    """The first so many tokens of a caption, by number."""
    found: list[int] = inputs["input_ids"][0, :count].tolist()
    return found


KINDS: Mapping[str, type[Blip]] = {
    "BlipForQuestionAnswering": Answering,
    "BlipForConditionalGeneration": Captioning,
    "BlipForImageTextRetrieval": Matching,
}


def load(path: Path, options: Options) -> Blip:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does.

    Raises ModelError besides for a checkpoint that was saved from none of the KINDS.
    """
    kind = of_architecture(path, KINDS)
    model = pretrained(kind.architecture, path, options, strict=False)
    tokenizer, pictures = readers(path)
    _check_fit(pictures, model.config)
    if isinstance(model, WithSimilarity):
        model.text_alone = sharing_weights(model.text_encoder)
    return kind(model, tokenizer, pictures)


def _check_fit(pictures: BaseImageProcessor, config: BlipConfig) -> None:
    """Raise ValueError unless pictures come in the one size that the tower has positions for."""
    came = pictures.size.height, pictures.size.width
    side = config.vision_config.image_size
    if came != (side, side):
        raise ValueError(
            f"the processor makes pictures of {came[0]} x {came[1]} pixels, and the model was made "
            f"for {side} x {side}"
        )

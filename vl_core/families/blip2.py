"""BLIP-2 and InstructBLIP: query tokens take from the picture what a language model then reads.

The Q-Former's query tokens look at the patches of a vision tower. What they have become enters the
language model in front of the words: tokens that stand for the picture and for no place in it. To
see where in the picture a word's attention to a query token leads, look at that query token in the
stack of the Q-Former on the vision tower. InstructBLIP's Q-Former reads the question as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    BatchFeature,
    Blip2ForConditionalGeneration,
    InstructBlipForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from vl_core.capture import Door, Place
from vl_core.errors import ModelError
from vl_core.example import Example
from vl_core.families import Options, generation, geometry, layers, model_type, pairs, prompts
from vl_core.families.decoder import LANGUAGE, TOWER
from vl_core.families.loading import pretrained, readers, tokenizer
from vl_core.trace import Prediction, TokenTable

QUERIES, ANSWER = "Q-Former", "answer"
CLASSES: Mapping[str, type[PreTrainedModel]] = {
    "blip-2": Blip2ForConditionalGeneration,
    "instructblip": InstructBlipForConditionalGeneration,
}
# How the questions were put that BLIP-2 was shown with; InstructBLIP takes them as they are.
TEMPLATES = {"blip-2": "Question: {question} Answer:", "instructblip": "{question}"}
_QFORMER_TOKENIZER = "qformer_tokenizer"  # the folder of InstructBLIP's second vocabulary


@dataclass(frozen=True)
class Part:
    """Layers of one stream: where they are, and the attention module in each.

    looks_at: the other stream, for attention across; across: its module.
    """

    stream: str
    layers: str
    attention: str
    looks_at: str = ""
    across: str = ""


_SEEING = (
    Part(TOWER, "vision_model.encoder.layers", "self_attn"),
    Part(
        QUERIES, "qformer.encoder.layer", "attention.attention", TOWER, "crossattention.attention"
    ),
)
_SPEAKING = {
    "opt": (Part(LANGUAGE, "language_model.model.decoder.layers", "self_attn"),),
    "llama": (Part(LANGUAGE, "language_model.model.layers", "self_attn"),),
    "t5": (
        Part(LANGUAGE, "language_model.encoder.block", "layer.0.SelfAttention"),
        Part(
            ANSWER,
            "language_model.decoder.block",
            "layer.0.SelfAttention",
            LANGUAGE,
            "layer.1.EncDecAttention",
        ),
    ),
}


@dataclass(frozen=True)
class Querying(generation.Generating, pairs.Paired):
    """One loaded checkpoint, ready to be traced.

    reader: the Q-Former's own tokenizer, where it reads text. parts: the layers of all streams.
    """

    reader: PreTrainedTokenizerBase | None
    parts: tuple[Part, ...]
    name: str

    @property
    def has_decoder(self) -> bool:
        """Whether the answer is a stream of its own, which looks at the question's."""
        return self.parts[-1].stream == ANSWER

    @property
    def growing_stream(self) -> str:
        """The stream that the answer joins."""
        return ANSWER if self.has_decoder else LANGUAGE

    @property
    def n_queries(self) -> int:
        """How many query tokens there are."""
        return int(self.model.config.num_query_tokens)

    def prompt(self, example: Example) -> prompts.Prompt:
        """The words that follow the query tokens."""
        template = prompts.own_template(TEMPLATES[self.name])
        return prompts.Prompt.of(template, example.text, "", "\ue001")

    def inputs(self, example: Example) -> BatchFeature:
        """Pixels, and the words behind a place for each query token.

        Raises TextError if the text is too long or holds signs of the model's own, ImageError
        without a picture.
        """
        pixels = self.features(example)["pixel_values"]
        words = pairs.token_ids(self.tokenizer, self.prompt(example), self._longest)
        places = [int(self.model.config.image_token_id)] * self.n_queries
        ids = torch.tensor([places + words])
        inputs = BatchFeature(
            {"pixel_values": pixels, "input_ids": ids, "attention_mask": torch.ones_like(ids)}
        )
        if self.reader is not None:
            inputs.update(self._read(example))
        if self.has_decoder:
            inputs["decoder_input_ids"] = torch.tensor([[self._start]])
        return inputs

    @property
    def _n_positions(self) -> int:
        """How many tokens a stream may have; T5 knows no limit, and was trained on this many."""
        return int(getattr(self.model.config.text_config, "max_position_embeddings", 512))

    @property
    def _longest(self) -> int:
        """How many tokens of text fit; an answer that is a stream of its own takes none of them."""
        answer = 0 if self.has_decoder else self.longest_answer
        return self._n_positions - self.n_queries - answer

    @property
    def most_tokens(self) -> int:
        """As many as follow the token that an answer starts with, or one token of the question."""
        return self._n_positions - 1 - (0 if self.has_decoder else self.n_queries)

    def _read(self, example: Example) -> dict[str, Tensor]:
        """The question as the Q-Former reads it."""
        limit = self.model.config.qformer_config.max_position_embeddings
        read = pairs.words(self.reader, self.sentence(example.text), limit)
        return {f"qformer_{name}": value for name, value in read.items()}

    @property
    def _start(self) -> int:
        return int(self.model.config.text_config.decoder_start_token_id)

    def answered(self, inputs: BatchFeature) -> BatchFeature:
        """The inputs with the model's likeliest answer."""
        if not self.has_decoder:
            return generation.answered(self.model, inputs, self.longest_answer)
        asked = {name: inputs[name] for name in inputs if name != "decoder_input_ids"}
        found = generation.generated(self.model, self.longest_answer, **asked)
        return BatchFeature({**inputs, "decoder_input_ids": found, "use_cache": False})

    def streams(self, example: Example, inputs: BatchFeature) -> dict[str, TokenTable]:
        """Words behind the query tokens, maybe the answer; the Q-Former; the vision tower."""
        words = self.prompt(example).tokens(self.tokenizer)
        answer = prompts.generated_tokens(self.tokenizer, self._answer(example, inputs))
        queries = _queries(self.n_queries)
        found = {LANGUAGE: TokenTable.joined([queries, words])}
        if self.has_decoder:
            found[ANSWER] = TokenTable.joined([geometry.specials("start"), answer])
        else:
            found[LANGUAGE] = TokenTable.joined([found[LANGUAGE], answer])
        found[QUERIES] = queries
        if self.reader is not None:
            read = self.sentence(example.text).tokens(self.reader)
            found[QUERIES] = TokenTable.joined([queries, read])
        tower = TokenTable.joined([geometry.specials("class"), self.patches(example)])
        return found | {TOWER: tower}

    def _answer(self, example: Example, inputs: BatchFeature) -> list[int]:
        """The tokens that were generated, by number."""
        if self.has_decoder:
            said: list[int] = inputs["decoder_input_ids"][0, 1:].tolist()
            return said
        before = self.n_queries + len(self.prompt(example).ids(self.tokenizer))
        answer: list[int] = inputs["input_ids"][0, before:].tolist()
        return answer

    def places(self, module_name: str) -> tuple[Place, ...]:
        """The layers of each stream, looking at itself and at another."""
        found: tuple[Place, ...] = ()
        for part in self.parts:
            found += layers.places(module_name, part.layers, part.attention, part.stream)
            if part.looks_at:
                across = part.layers, part.across, part.stream, part.looks_at
                found += layers.places(module_name, *across)
        return found

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """Around each layer of each stream."""
        return {part.stream: layers.doors(self.model, part.layers) for part in self.parts}

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x vocabulary: what the first token of the answer is chosen by."""
        logits: Tensor = outputs["logits"][:, -1]
        return logits

    def prediction(
        self, example: Example, inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The answer, token by token."""
        answer = self._answer(example, inputs)
        ends = generation.ends(self.model.language_model)
        return generation.spoken(self.tokenizer, answer, outputs["logits"][0], ends)

    def preprocessing(self) -> dict[str, Any]:
        """The settings of the image processor, and the words around a question."""
        return {
            "image_processor": geometry.settings(self.image_processor),
            "prompt": TEMPLATES[self.name],
            **generation.settings(self.longest_answer),
        }


def _queries(count: int) -> TokenTable:
    """Tokens that stand for the picture and for no place in it."""
    return TokenTable.of([f"query {i + 1}" for i in range(count)], ["image"] * count)


def load(path: Path, options: Options) -> Querying:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does.

    Raises ModelError besides for a language model of another kind.
    """
    name = model_type(path)
    model = pretrained(CLASSES[name], path, options, strict=False)
    kind = model.config.text_config.model_type
    if kind not in _SPEAKING:
        raise ModelError(
            f"The language model is of type {kind!r}; covered are {', '.join(_SPEAKING)}. Choose "
            "another checkpoint."
        )
    reader = None
    if name == "instructblip":
        reader = tokenizer(path / _QFORMER_TOKENIZER)
    return Querying(model, *readers(path), reader, (*_SEEING, *_SPEAKING[kind]), name)

"""What all decoders have in common that read a picture as tokens of their prompt.

An encoder, the vision tower, turns the picture into tokens; a language model reads them in the
place of placeholders among the words, and generates an answer. A family of this kind says what its
picture turns into; the rest stands here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from weakref import ReferenceType, ref

import torch
from PIL import Image
from torch import Tensor
from transformers import (
    BaseImageProcessor,
    BatchFeature,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from vl_core.capture import Door, Place
from vl_core.errors import TextError
from vl_core.example import Example, Task
from vl_core.families import candidates, generation, geometry, layers, prompts
from vl_core.trace import Prediction, TokenTable

LANGUAGE, TOWER, POOLING = "language", "vision tower", "pooling"


@dataclass(frozen=True)
class Reading:
    """What a picture turns into.

    features: what the model is fed of it. placeholders: what stands for it in the prompt. patches:
    its tokens in the language model, in the order of the placeholders' image tokens. tower: its
    tokens in the vision tower, in the order in which that has them. seen: the picture as the model
    sees it, the whole where it sees tiles besides. n_pictures: how many the tower looks at.
    """

    features: BatchFeature
    placeholders: str
    patches: TokenTable
    tower: TokenTable
    seen: Image.Image
    n_pictures: int = 1


class LastReading:
    """What the last picture turned into, for as long as that picture is there."""

    def __init__(self) -> None:
        self._held: tuple[ReferenceType[Image.Image], Reading] | None = None

    def get(self, image: Image.Image, read: Callable[[Image.Image], Reading]) -> Reading:
        """The reading of this picture; threads that bring others only lose time."""
        held = self._held
        if held is not None and held[0]() is image:
            return held[1]
        found = read(image)
        self._held = ref(image, self._forget), found
        return found

    def _forget(self, gone: "ReferenceType[Image.Image]") -> None:
        held = self._held
        if held is not None and held[0] is gone:
            self._held = None


@dataclass(frozen=True)
class Decoder(generation.Generating, ABC):
    """One loaded checkpoint, ready to be traced.

    template: the prompt around a question, as prompts.filled gives it, with a picture and without.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    image_processor: BaseImageProcessor
    template: Mapping[bool, str]
    name: str
    memory: LastReading = field(default_factory=LastReading, compare=False, repr=False)

    # Where the layers of both are, and what their attention modules are called in them.
    layers: ClassVar[str] = "model.language_model.layers"
    attention: ClassVar[str] = "self_attn"
    tower_layers: ClassVar[str] = "model.vision_tower.encoder.layers"
    tower_attention: ClassVar[str] = "self_attn"
    tower_pooling: ClassVar[str] = "model.vision_tower.head.attention"

    scored_tasks: ClassVar[frozenset[Task]] = frozenset({"candidate"})
    growing_stream: ClassVar[str] = LANGUAGE

    def read(self, image: Image.Image) -> Reading:
        """What the picture turns into, worked out once: a trace asks for it several times."""
        return self.memory.get(image, self.reading)

    @abstractmethod
    def reading(self, image: Image.Image) -> Reading:
        """What the picture turns into; raises ImageError for one that cannot be used."""

    @property
    def image_token(self) -> str:
        """What stands for one patch in the prompt."""
        return str(self.tokenizer.convert_ids_to_tokens(self.model.config.image_token_id))

    @property
    def picture_sign(self) -> str:
        """What stands for the picture in the template."""
        return self.image_token

    def prompt(self, example: Example) -> prompts.Prompt:
        """Everything that is read before the answer, or before a candidate in its place.

        Raises TextError for a question that holds commands of the model.
        """
        prompts.check_text(self.tokenizer, example.text, self.image_token, self.picture_sign)
        asked = candidates.asked(example)
        if example.image is None:
            return prompts.Prompt.of(self.template[False], asked, "", self.picture_sign)
        placeholders = self.read(example.image).placeholders
        return prompts.Prompt.of(self.template[True], asked, placeholders, self.picture_sign)

    def _sequence(self, example: Example) -> prompts.Prompt | candidates.Candidate:
        """All that is read before an answer: the prompt, or the prompt and a candidate."""
        prompt = self.prompt(example)
        if example.task in self.scored_tasks:
            return candidates.Candidate.of(example, prompt)
        return prompt

    def inputs(self, example: Example) -> BatchFeature:
        """The prompt with the picture's placeholders, and what the vision tower is fed.

        A candidate stands behind it; then no more logits are worked out than those of its tokens.
        Raises TextError if it is too long or holds commands of the model, ImageError for a picture
        that cannot be used.
        """
        read = self._sequence(example)
        ids = torch.tensor([read.ids(self.tokenizer)])
        self._check_length(ids.shape[1])
        inputs = BatchFeature({"input_ids": ids, "attention_mask": torch.ones_like(ids)})
        if isinstance(read, candidates.Candidate):
            first, count = read.first(self.tokenizer), ids.shape[1]
            inputs["logits_to_keep"] = torch.arange(first - 1, count - 1)
        if example.image is not None:
            inputs.update(self.read(example.image).features)
        return inputs

    def _check_length(self, count: int) -> None:
        fitting = self._n_positions - self.longest_answer
        if count > fitting:
            raise TextError(
                f"Question and picture make {count} tokens; this model reads at most {fitting} "
                f"before an answer of up to {self.longest_answer}. Shorten the question, choose a "
                "smaller picture or allow a shorter answer."
            )

    @property
    def _n_positions(self) -> int:
        return int(self.model.config.get_text_config().max_position_embeddings)

    @property
    def most_tokens(self) -> int:
        """As many as follow one token of the question."""
        return self._n_positions - 1

    def answered(self, inputs: BatchFeature) -> BatchFeature:
        """The inputs with the model's likeliest answer behind them."""
        return generation.answered(self.model, inputs, self.longest_answer)

    def seen(self, example: Example) -> Image.Image | None:
        """The picture as the model sees it, None without one."""
        return None if example.image is None else self.read(example.image).seen

    def streams(self, example: Example, inputs: BatchFeature) -> dict[str, TokenTable]:
        """The language model's tokens (prompt, patches, answer) and those of the vision tower."""
        words = self._sequence(example).tokens(self.tokenizer)
        answer = prompts.generated_tokens(self.tokenizer, self._answer(example, inputs))
        if example.image is None:
            return {LANGUAGE: TokenTable.joined([words, answer])}
        reading = self.read(example.image)
        is_patch = inputs["input_ids"][0, : len(words)].cpu() == self.model.config.image_token_id
        words = prompts.with_patches(words, is_patch.numpy(), reading.patches)
        found = {LANGUAGE: TokenTable.joined([words, answer]), TOWER: reading.tower}
        if self._has_pooling:
            found[POOLING] = geometry.specials(*["probe"] * reading.n_pictures)
        return found

    @property
    def _has_pooling(self) -> bool:
        """Whether the tower sums its tokens up besides; a decoder does not use that."""
        return any(name == self.tower_pooling for name, _ in self.model.named_modules())

    def _answer(self, example: Example, inputs: BatchFeature) -> list[int]:
        """The tokens that were generated, by number."""
        before = len(self._sequence(example).ids(self.tokenizer))
        answer: list[int] = inputs["input_ids"][0, before:].tolist()
        return answer

    def places(self, module_name: str) -> tuple[Place, ...]:
        """The layers of the language model and those of the vision tower."""
        for path, attention, stream in (
            (self.layers, self.attention, LANGUAGE),
            (self.tower_layers, self.tower_attention, TOWER),
        ):
            if found := layers.places(module_name, path, attention, stream):
                return found
        is_pooling = module_name == self.tower_pooling
        return (Place(f"{POOLING}<-{TOWER}", POOLING, TOWER, 0),) if is_pooling else ()

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """Around each layer; the last state of each stream is taken before its final norm."""
        return {
            LANGUAGE: layers.doors(self.model, self.layers),
            TOWER: layers.doors(self.model, self.tower_layers),
        }

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x vocabulary: what the first token of the answer is chosen by."""
        logits: Tensor = outputs["logits"][:, -1]
        return logits

    def score(
        self, _example: Example, inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> float:
        """The mean log-probability of the candidate's tokens, in nats; 0 is certain."""
        logits = outputs["logits"][0]
        own = inputs["input_ids"][0, -len(logits) :].tolist()
        return candidates.mean_log_probability(own, logits)

    def prediction(
        self, example: Example, inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The answer, token by token, or the score of a candidate."""
        if example.task in self.scored_tasks:
            judged = example.parts[-1], self.score(example, inputs, outputs)
            return Prediction("score", (judged,))
        answer = self._answer(example, inputs)
        ends = generation.ends(self.model)
        return generation.spoken(self.tokenizer, answer, outputs["logits"][0], ends)

    def preprocessing(self) -> dict[str, Any]:
        """The settings of the image processor and the prompt around a question."""
        return {
            "image_processor": geometry.settings(self.image_processor),
            "prompt": self.template[True],
            **generation.settings(self.longest_answer),
        }

"""ViLT: words and patches in one stream of one encoder, without a vision tower."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from transformers import (
    BaseImageProcessor,
    BatchFeature,
    PreTrainedModel,
    ViltConfig,
    ViltForImageAndTextRetrieval,
    ViltForQuestionAnswering,
)
from transformers.image_utils import ChannelDimension
from transformers.models.vilt import image_processing_pil_vilt as resizing

from vl_core.capture import Door, Place
from vl_core.errors import ImageError
from vl_core.example import Example, Task
from vl_core.families import Options, answers, geometry, layers, pairs
from vl_core.families.loading import of_architecture, pretrained, readers
from vl_core.families.prompts import Prompt
from vl_core.families.vilt_models import WithMask, put_in_rows
from vl_core.trace import Prediction, TokenTable

STREAM = "encoder"
_LAYERS = "vilt.encoder.layer"


@dataclass(frozen=True)
class Vilt(pairs.Paired, pairs.Choosing, ABC):
    """One loaded checkpoint, ready to be traced; what it is asked for is its subclass's."""

    name: str = "vilt"

    architecture: ClassVar[type[PreTrainedModel]]
    allowed: ClassVar[str] = ""  # a sign of the model's own that a user may write

    @abstractmethod
    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x answer: what the answer is read off."""

    @abstractmethod
    def prediction(
        self, example: Example, inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """What the model says, the likeliest first."""

    def inputs(self, example: Example) -> BatchFeature:
        """The text between [CLS] and [SEP], and the picture in whole patches.

        Raises TextError if the text is too long or holds signs of the model's own, ImageError for
        no picture or one that is too narrow.
        """
        limit = self.model.config.max_position_embeddings
        sentence = self.sentence(example.text)
        inputs = pairs.words(self.tokenizer, sentence, limit, self.allowed)
        inputs.update(self.features(example))
        return inputs

    def features(self, example: Example) -> BatchFeature:
        """The picture in whole patches, and which pixels are not padding.

        Raises ImageError for no picture or one that is too narrow.
        """
        _check_shape(self.image_processor, pairs.picture(example).size)
        return super().features(example)

    def streams(self, example: Example, inputs: BatchFeature) -> dict[str, TokenTable]:
        """The one stream: text, a class token of the picture, patches row by row."""
        words = self.sentence(example.text).tokens(self.tokenizer)
        height, width = inputs["pixel_values"].shape[-2:]
        side = self.model.config.patch_size
        frame = geometry.Frame.of(pairs.picture(example).size).resized((width, height))
        patches = geometry.patches(frame.grid(height // side, width // side))
        return {STREAM: TokenTable.joined([words, geometry.specials("class"), patches])}

    def places(self, module_name: str) -> tuple[Place, ...]:
        """The layers of the encoder."""
        return layers.places(module_name, _LAYERS, "attention.attention", STREAM)

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """Around each layer; the last state is taken before the final norm."""
        return {STREAM: layers.doors(self.model, _LAYERS)}

    def preprocessing(self) -> dict[str, Any]:
        """The settings of the image processor, and what is done to the order of the patches."""
        return {"image_processor": geometry.settings(self.image_processor), "patches": "row by row"}


class Answering(Vilt):
    """Answers a question out of a fixed list."""

    architecture = ViltForQuestionAnswering

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x answer, read off the first token of the text."""
        logits: Tensor = outputs["logits"]
        return logits

    def prediction(
        self, _example: Example, _inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The likeliest answers, each by itself: the model was trained to allow several."""
        shares = self.answer_logits(outputs)[0].float().sigmoid()
        return answers.first(shares, self.model.config.id2label)


class Filling(Vilt):
    """Says which word stands at the first [MASK]; one is put at the end of a text without."""

    architecture = WithMask
    allowed = "[MASK]"

    def sentence(self, text: str) -> Prompt:
        """The text, with a [MASK] in it or behind it."""
        whole = text if self.allowed in text else f"{text} {self.allowed}"
        return Prompt(whole, 0, text)

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x vocabulary, read off the first [MASK]."""
        logits: Tensor = outputs["answer_logits"]
        return logits

    def prediction(
        self, _example: Example, _inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The likeliest words, or pieces of words, by the names that the vocabulary gives them."""
        logits = self.answer_logits(outputs)[0]
        names = self.tokenizer.convert_ids_to_tokens(range(len(logits)))
        return answers.likeliest(logits, [str(name) for name in names])


class Matching(Vilt):
    """Scores how well a text fits a picture, to rank several; that score as one of yes or no."""

    architecture = ViltForImageAndTextRetrieval
    scored_tasks: ClassVar[frozenset[Task]] = pairs.SCORED_TASKS

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x (match, no match): the score, and the 0 that it is measured against."""
        score: Tensor = outputs["logits"]
        return torch.cat([score, torch.zeros_like(score)], dim=-1)

    def prediction(
        self, example: Example, inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The sigmoid of the score, which was trained to rank: good for comparing, not alone."""
        return pairs.match(self.score(example, inputs, outputs))

    def score(
        self, _example: Example, _inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> float:
        """The probability that the whole text, in all its parts, matches the picture."""
        return float(outputs["logits"][0, 0].detach().double().sigmoid())


KINDS: Mapping[str, type[Vilt]] = {
    "ViltForQuestionAnswering": Answering,
    "ViltForMaskedLM": Filling,
    "ViltForImageAndTextRetrieval": Matching,
}


def load(path: Path, options: Options) -> Vilt:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does.

    Raises ModelError besides for a checkpoint that was saved from none of the KINDS.
    """
    kind = of_architecture(path, KINDS)
    # Where the checkpoint is older than the place that transformers has for the bias today.
    renamed = {"key_mapping": {r"^mlm_score\.bias$": "mlm_score.decoder.bias"}}
    model = pretrained(kind.architecture, path, renamed | dict(options), strict=False)
    tokenizer, pictures = readers(path)
    _check_fit(pictures, model.config)
    if isinstance(model, WithMask):
        if tokenizer.mask_token != Filling.allowed:
            raise ValueError(f"the tokenizer's mask is {tokenizer.mask_token}, wanted [MASK]")
        model.mask_token_id = tokenizer.mask_token_id
    put_in_rows(model.vilt.embeddings)
    return kind(model, tokenizer, pictures)


def _check_fit(pictures: BaseImageProcessor, config: ViltConfig) -> None:
    """Raise ValueError unless pictures come in whole patches, and all patches are read."""
    if not pictures.do_resize or pictures.size_divisor % config.patch_size:
        raise ValueError(
            f"do_resize is {pictures.do_resize} and size_divisor {pictures.size_divisor} in the "
            f"processor's configuration; wanted True and a multiple of {config.patch_size}, the "
            "model's patch_size"
        )
    if config.max_image_length >= 0:
        raise ValueError(
            f"max_image_length is {config.max_image_length}: the model draws as many patches by "
            "lot, so that no two runs agree; wanted -1, which is all"
        )


def _check_shape(pictures: BaseImageProcessor, size: geometry.Size) -> None:
    """Raise ImageError for a picture whose shorter side makes no patch."""
    shorter = pictures.size.shortest_edge
    longer = int(resizing.MAX_LONGER_EDGE / resizing.MAX_SHORTER_EDGE * shorter)
    # It asks for a picture where its size would do; this one takes no room.
    blank = np.broadcast_to(np.uint8(0), (3, size[1], size[0]))
    sides = resizing.get_resize_output_image_size(
        blank, shorter, longer, pictures.size_divisor, ChannelDimension.FIRST
    )
    if not all(sides):
        raise ImageError(
            f"The picture is {size[0]} x {size[1]} pixels. With its longer side at {longer}, its "
            f"shorter is less than a patch of {pictures.size_divisor}. Crop it to a wider shape."
        )

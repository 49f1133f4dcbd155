"""KD-VLP-style models: one stream of [CLS] text [SEP] and picture cells, row by row.

A text in parts (question, answer, rationale; question, source) has a [SEP] behind each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BatchFeature

from vl_core.arrays import Boxes, Spans
from vl_core.capture import Door, Place
from vl_core.errors import TextError
from vl_core.example import Example, Task
from vl_core.families import Options, layers, pairs
from vl_core.families.answers import likeliest
from vl_core.families.kdvlp.configuration import KDVLPConfig
from vl_core.families.kdvlp.image_processing import KDVLPImageProcessor
from vl_core.families.kdvlp.modelling import KDVLPForTasks
from vl_core.families.kdvlp.processing import KDVLPProcessor
from vl_core.families.kdvlp.segments import SEGMENT_TYPES, Segments, joined, only_tags
from vl_core.families.kdvlp.tags import cell_tags
from vl_core.families.loading import pretrained
from vl_core.trace import Prediction, TokenTable

STREAM = "encoder"
_HEADS: Mapping[Task, str] = {"candidate": "candidate_score", "source": "source_score"}
_LAYERS = "kdvlp.encoder.layers"


@dataclass(frozen=True)
class KDVLP(pairs.Choosing):
    """One loaded checkpoint, ready to be traced."""

    model: KDVLPForTasks
    processor: KDVLPProcessor
    name: str = "kdvlp"

    scored_tasks: ClassVar[frozenset[Task]] = frozenset(_HEADS)

    def inputs(self, example: Example) -> BatchFeature:
        """The text between [CLS] and [SEP] and, if there is one, the picture cut into cells.

        In a text of several parts object tags are words, and cells are tagged with the numbered
        regions that they show. Raises TextError if the text is too long, has too many parts or one
        with nothing legible, ImageError if the picture is too narrow.
        """
        if example.breaks:
            return self._inputs_in_parts(example)
        came = self.processor.tokenizer(example.text, add_special_tokens=False)["input_ids"]
        self._check_length([len(came)])
        pictures = {} if example.image is None else {"images": example.image}
        return self.processor(text=example.text, **pictures, return_tensors="pt")

    def _inputs_in_parts(self, example: Example) -> BatchFeature:
        text = self._segments(example)
        self._check_length([len(encoding.ids) for _, encoding in text.parts])
        ids = torch.tensor([text.ids])
        types = torch.tensor([text.types])
        inputs = {"input_ids": ids, "token_type_ids": types, "attention_mask": torch.ones_like(ids)}
        if example.image is not None:
            inputs |= self.processor.image_processor(example.image, return_tensors="pt")
            grid = self.processor.image_processor.grid(*example.image.size)
            n_tags = self.model.config.object_tags
            tags = cell_tags(example.regions, example.image.size, grid, n_tags)
            inputs |= {} if tags is None else {"cell_tags": tags}
        return BatchFeature(inputs)

    def _segments(self, example: Example) -> Segments:
        if len(example.parts) > len(SEGMENT_TYPES):
            raise TextError(
                f"The text has {len(example.parts)} parts; this model reads at most "
                f"{len(SEGMENT_TYPES)}: a question, an answer and a rationale. Leave some out."
            )
        return joined(self.processor.tokenizer, example.parts, self._words_and_tags)

    @cached_property
    def _words_and_tags(self) -> Tokenizer:
        return only_tags(self.processor.tokenizer)

    def _check_length(self, came: Sequence[int]) -> None:
        """Raise TextError if one of the parts, of so many words, has none, or all have too many."""
        what = "question" if len(came) == 1 else "text"
        if not all(came):
            raise TextError(
                f"The {what} has no character that this model can read"
                f"{'' if len(came) == 1 else f' in part {list(came).index(0) + 1}'}. Type it in "
                "words."
            )
        fitting = self.model.config.max_position_embeddings - 1 - len(came)
        if sum(came) > fitting:
            raise TextError(
                f"The {what} has {sum(came)} words and punctuation marks; this model reads at most "
                f"{fitting}. Shorten it."
            )

    def seen(self, example: Example) -> Image.Image | None:
        """The picture as the model sees it, None without one."""
        if example.image is None:
            return None
        return self.processor.image_processor.resized(example.image)

    def streams(self, example: Example, inputs: BatchFeature) -> dict[str, TokenTable]:
        """The one stream: words by the name the model knows them by, unknown ones by their own."""
        words = self._words(example, inputs["input_ids"][0].tolist())
        parts = [words] if example.size is None else [words, self._cells(example.size)]
        return {STREAM: TokenTable.joined(parts)}

    def _words(self, example: Example, ids: list[int]) -> TokenTable:
        tokenizer, text = self.processor.tokenizer, example.text
        known = tokenizer.convert_ids_to_tokens(ids)
        spans = self._spans(example)
        is_special = spans[:, 0] == spans[:, 1]  # what the tokenizer adds stands for no characters
        is_unknown = np.array(ids) == tokenizer.unk_token_id
        return TokenTable.of(
            [
                text[start:end] if unknown else name
                for name, (start, end), unknown in zip(known, spans, is_unknown, strict=True)
            ],
            ["special" if special else "text" for special in is_special],
            spans=np.where(is_special[:, None], -1, spans),
            is_unknown=is_unknown,
        )

    def _spans(self, example: Example) -> Spans:
        """The characters of the text that each of its tokens stands for, none for what is added."""
        if not example.breaks:
            encoded = self.processor.tokenizer(example.text, return_offsets_mapping=True)
            return np.array(encoded["offset_mapping"])
        text = self._segments(example)
        spans = np.zeros((len(text.ids), 2), int)
        starts = (0, *example.breaks)
        for (first, encoding), part, start in zip(text.parts, example.parts, starts, strict=True):
            begin = example.text.index(part, start)  # behind the blank that parts it, say
            spans[first : first + len(encoding.ids)] = np.add(encoding.offsets, begin)
        return spans

    def _cells(self, size: tuple[int, int]) -> TokenTable:
        rows, columns = self.processor.image_processor.grid(*size)
        names = [
            f"patch {row + 1}, {column + 1}" for row in range(rows) for column in range(columns)
        ]
        return TokenTable.of(names, ["image"] * len(names), boxes=cell_boxes(rows, columns, size))

    def places(self, module_name: str) -> tuple[Place, ...]:
        """The layers of the encoder, as they are counted in the model."""
        return layers.places(module_name, _LAYERS, "attention", STREAM)

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """Around each layer of the encoder; the last state is taken before the final norm."""
        return {STREAM: layers.doors(self.model, _LAYERS)}

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x answer, read off the class token."""
        logits: Tensor = outputs["answer_logits"]
        return logits

    def score(
        self, example: Example, _inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> float:
        """How well the last part fits, by the head that was taught the example's task; a logit."""
        return float(outputs[_HEADS[example.task]][0])

    def prediction(
        self, example: Example, inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The likeliest answers out of the fixed list the model knows, or the last part's score."""
        if example.task in self.scored_tasks:
            judged = example.parts[-1], self.score(example, inputs, outputs)
            return Prediction("score", (judged,))
        return likeliest(self.answer_logits(outputs)[0], self.model.config.id2label)

    def preprocessing(self) -> dict[str, Any]:
        """How pictures are resized and normalised, and how many text tokens fit."""
        pictures = self.processor.image_processor
        return {
            "cell": pictures.stride,
            "max_cells": pictures.max_cells,
            "min_cells": pictures.min_cells,
            "image_mean": list(pictures.image_mean),
            "image_std": list(pictures.image_std),
            "max_text_tokens": self.model.config.max_position_embeddings,
        }


def cell_boxes(rows: int, columns: int, size: tuple[int, int]) -> Boxes:
    """Left, top, right, bottom of each cell, row by row, in pixels of a picture of this size.

    The picture is squeezed into whole cells, so cells need not be square in the original.
    """
    row, column = np.divmod(np.arange(rows * columns), columns)
    edges = np.stack([column, row, column + 1, row + 1], axis=1)
    return edges * np.tile(np.array(size) / (columns, rows), 2)


def load(path: Path, options: Options) -> KDVLP:
    """The checkpoint in this folder, ready to run.

    Raises OSError or ValueError for files that are missing, incomplete or contradict each other;
    damaged ones raise whatever transformers makes of them.
    """
    model = pretrained(KDVLPForTasks, path, options)
    processor = KDVLPProcessor.from_pretrained(path, local_files_only=True)
    _check_fit(processor.image_processor, model.config)
    # What a visitor types is text: no question may hold a [SEP] that the model takes for its own.
    processor.tokenizer.split_special_tokens = True
    return KDVLP(model, processor)


def _check_fit(pictures: KDVLPImageProcessor, config: KDVLPConfig) -> None:
    """Raise ValueError unless the processor cuts pictures as the model was made for."""
    for name in ("stride", "max_cells"):
        came, wanted = getattr(pictures, name), getattr(config, name)
        if came != wanted:
            raise ValueError(
                f"{name} is {came} in the processor's configuration and {wanted} in the model's"
            )

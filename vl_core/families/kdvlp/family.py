"""KD-VLP-style models: one stream of [CLS] text [SEP] and picture cells, row by row."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from transformers import BatchFeature

from vl_core.arrays import Boxes
from vl_core.capture import Door, Place, doors_of
from vl_core.errors import TextError
from vl_core.example import Example
from vl_core.families import Options
from vl_core.families.answers import likeliest
from vl_core.families.kdvlp.configuration import KDVLPConfig
from vl_core.families.kdvlp.image_processing import KDVLPImageProcessor
from vl_core.families.kdvlp.modelling import KDVLPForTasks
from vl_core.families.kdvlp.processing import KDVLPProcessor
from vl_core.families.loading import pretrained
from vl_core.trace import Prediction, TokenTable

STREAM = "encoder"
_LAYERS = "kdvlp.encoder.layers"
_ATTENTION = re.compile(rf"{re.escape(_LAYERS)}\.(\d+)\.attention")


@dataclass(frozen=True)
class KDVLP:
    """One loaded checkpoint, ready to be traced."""

    model: KDVLPForTasks
    processor: KDVLPProcessor
    name: str = "kdvlp"

    def inputs(self, example: Example) -> BatchFeature:
        """The text between [CLS] and [SEP] and, if there is one, the picture cut into cells.

        Raises TextError if the text is too long or holds nothing legible, ImageError if the
        picture is too narrow.
        """
        self._check_text(example.text)
        pictures = {} if example.image is None else {"images": example.image}
        return self.processor(text=example.text, **pictures, return_tensors="pt")

    def _check_text(self, text: str) -> None:
        tokenizer = self.processor.tokenizer
        came = len(tokenizer(text, add_special_tokens=False)["input_ids"])
        if not came:
            raise TextError(
                "The question has no character that this model can read. Type it in words."
            )
        limit = self.model.config.max_position_embeddings
        fitting = limit - tokenizer.num_special_tokens_to_add()
        if came > fitting:
            raise TextError(
                f"The question has {came} words and punctuation marks; this model reads at most "
                f"{fitting}. Shorten it."
            )

    def seen(self, example: Example) -> Image.Image | None:
        """The picture as the model sees it, None without one."""
        if example.image is None:
            return None
        return self.processor.image_processor.resized(example.image)

    def streams(self, example: Example, inputs: BatchFeature) -> dict[str, TokenTable]:
        """The one stream: words by the name the model knows them by, unknown ones by their own."""
        words = self._words(example.text, inputs["input_ids"][0].tolist())
        parts = [words] if example.size is None else [words, self._cells(example.size)]
        return {STREAM: TokenTable.joined(parts)}

    def _words(self, text: str, ids: list[int]) -> TokenTable:
        tokenizer = self.processor.tokenizer
        known = tokenizer.convert_ids_to_tokens(ids)
        spans = np.array(tokenizer(text, return_offsets_mapping=True)["offset_mapping"])
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

    def _cells(self, size: tuple[int, int]) -> TokenTable:
        rows, columns = self.processor.image_processor.grid(*size)
        names = [
            f"patch {row + 1}, {column + 1}" for row in range(rows) for column in range(columns)
        ]
        return TokenTable.of(names, ["image"] * len(names), boxes=cell_boxes(rows, columns, size))

    def places(self, module_name: str) -> tuple[Place, ...]:
        """The layers of the encoder, as they are counted in the model."""
        found = _ATTENTION.fullmatch(module_name)
        return (Place(STREAM, STREAM, STREAM, int(found[1])),) if found else ()

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """Around each layer of the encoder; the last state is taken before the final norm."""
        return {STREAM: doors_of([f"{_LAYERS}.{i}" for i in range(self.n_layers)])}

    @property
    def n_layers(self) -> int:
        """How many layers the encoder has."""
        return int(self.model.config.num_hidden_layers)

    def answered(self, inputs: BatchFeature) -> BatchFeature:
        """The inputs as they are: answers are chosen from a list."""
        return inputs

    def answer_logits(self, outputs: Mapping[str, Any]) -> Tensor:
        """Sequence x answer, read off the class token."""
        logits: Tensor = outputs["answer_logits"]
        return logits

    def prediction(
        self, _example: Example, _inputs: BatchFeature, outputs: Mapping[str, Any], /
    ) -> Prediction:
        """The likeliest answers out of the fixed list the model knows."""
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

"""Models of real size with random weights, to measure what capture costs them.

What attention costs depends on its size and not on what a model has learnt.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaModel, PreTrainedModel, ViltConfig, ViltModel

from vl_core import capture
from vl_core.capture import Door, Place, doors_of
from vl_core.example import Region
from vl_core.trace import TokenTable

STREAM = "tokens"
PATCH = 14  # pixels


@dataclass(frozen=True)
class Subject:
    """A model, what it is fed, and what is known of its tokens."""

    model: PreTrainedModel
    inputs: Mapping[str, Tensor]
    tokens: TokenTable
    regions: tuple[Region, ...]
    layer_name: str
    attention_name: str

    @property
    def _layers(self) -> list[str]:
        count = self.model.config.num_hidden_layers
        return [f"{self.layer_name}.{layer}" for layer in range(count)]

    @property
    def doors(self) -> Mapping[str, Sequence[Door]]:
        """Where the hidden states are read."""
        return {STREAM: doors_of(self._layers)}

    @property
    def places(self) -> Callable[[str], Sequence[Place]]:
        """Where the attention of each module belongs."""
        known = {
            f"{layer}.{self.attention_name}": (Place(STREAM, STREAM, STREAM, number),)
            for number, layer in enumerate(self._layers)
        }
        return lambda name: known.get(name, ())

    def twin(self) -> PreTrainedModel:
        """Another model on the same weights in the same memory."""
        shared = chain(self.model.parameters(), self.model.buffers())
        return deepcopy(self.model, {id(tensor): tensor for tensor in shared})

    def captured(self) -> PreTrainedModel:
        """A twin that is attached to capture, as `vl_core.load` does it."""
        model = self.twin()
        capture.attach(model)
        capture.watch(model, self.doors)
        return model


def decoder(n_tokens: int) -> Subject:
    """24 layers x 16 heads on 2 key heads, the shape of a Qwen2 of half a billion weights."""
    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=1024,
        intermediate_size=2816,
        num_hidden_layers=24,
        num_attention_heads=16,
        num_key_value_heads=2,
        attention_bias=True,
        max_position_embeddings=n_tokens,
        use_cache=False,
        attn_implementation="sdpa",
    )
    model = _made(LlamaModel, config)
    tokens, regions = prompt(n_tokens)
    inputs = {"input_ids": torch.arange(n_tokens)[None]}
    return Subject(model, inputs, tokens, regions, "layers", "self_attn")


def vilt() -> Subject:
    """ViLT-base: 12 layers x 12 heads on 35 words and 12 x 17 patches, 240 tokens."""
    model = _made(ViltModel, ViltConfig())
    pixels = torch.rand(1, 3, 384, 544)
    inputs = {
        "input_ids": torch.arange(35)[None],
        "pixel_values": pixels,
        "pixel_mask": torch.ones(1, 384, 544, dtype=torch.long),
    }
    tokens, regions = _table(["special", *["text"] * 33, "special", "special"], [], 12, 17)
    return Subject(model, inputs, tokens, regions, "encoder.layer", "attention.attention")


def _made(kind: type[PreTrainedModel], config: Any) -> PreTrainedModel:  # noqa: ANN401
    torch.manual_seed(0)
    return kind(config).eval()


def prompt(n_tokens: int) -> tuple[TokenTable, tuple[Region, ...]]:
    """A picture that takes three quarters of the prompt, then a question about two places in it."""
    side = int((0.75 * n_tokens) ** 0.5)
    before = ["special", *["text"] * 12, "special"]
    n_after = n_tokens - len(before) - side**2
    after = ["special", *["text"] * (n_after - 2), "special"]
    return _table(before, after, side, side)


def _table(
    before: list[str], after: list[str], rows: int, columns: int
) -> tuple[TokenTable, tuple[Region, ...]]:
    """Words around a picture; the first word names one place in it, the last another."""
    kinds = [*before, *["image"] * (rows * columns), *after]
    row, column = np.divmod(np.arange(rows * columns), columns)
    corners = np.stack([column, row, column + 1, row + 1], axis=1) * float(PATCH)
    boxes = np.full((len(kinds), 4), np.nan)
    boxes[np.array(kinds) == "image"] = corners
    words = np.flatnonzero(np.array(kinds) == "text")
    spans = np.full((len(kinds), 2), -1)
    spans[words, 0] = 4 * np.arange(len(words))
    spans[words, 1] = spans[words, 0] + 3
    tokens = TokenTable.of(["token"] * len(kinds), kinds, boxes, spans)
    return tokens, (_region((2, 2, 4, 3), spans[words[0]]), _region((5, 4, 6, 6), spans[words[-1]]))


def _region(patches: tuple[int, int, int, int], span: np.ndarray) -> Region:
    left, top, right, bottom = (float(PATCH * edge) for edge in patches)
    return Region("place", (left, top, right, bottom), (int(span[0]), int(span[1])))

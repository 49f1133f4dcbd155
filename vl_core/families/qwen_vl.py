"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL: a picture of any shape, read in blocks of 2 x 2 patches.

The picture is resized to whole blocks, its aspect all but kept, and each block becomes one token
of the language model, line by line. The tower has another order: block after block, and in
Qwen2.5-VL window after window, since most of its layers look within a window only. Qwen3-VL adds
what early layers of the tower found to the picture's tokens between the first layers of the
language model ("deepstack"); this is a sum and no attention, and a hidden state is taken with it.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Int
from PIL import Image
from torch import Tensor
from transformers import (
    BaseImageProcessor,
    BatchFeature,
    PreTrainedConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLForConditionalGeneration,
    Qwen3VLForConditionalGeneration,
)
from transformers.image_utils import SizeDict
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
from transformers.vision_utils import get_vision_position_ids, get_vision_window_index

from vl_core.capture import Door
from vl_core.errors import ImageError
from vl_core.example import Example
from vl_core.families import Options, geometry, model_type
from vl_core.families.decoder import LANGUAGE, Decoder, Reading
from vl_core.families.loading import pretrained, processors

# Checkpoints allow some 16,000 tokens for a picture, which takes minutes and gigabytes; Qwen's own
# instructions recommend this bound.
MOST_TOKENS = 1280
MOST_ELONGATED = 200  # longer to shorter side: the models' own resizing refuses more


class QwenVL(Decoder):
    """A tower of its own making, then a language model that knows lines and columns."""

    tower_layers = "model.visual.blocks"
    tower_attention = "attn"

    def inputs(self, example: Example) -> BatchFeature:
        """As of any decoder, and which tokens are of a picture: positions are counted by that."""
        inputs = super().inputs(example)
        is_patch = inputs["input_ids"] == self.model.config.image_token_id
        inputs["mm_token_type_ids"] = is_patch.long()
        return inputs

    def reading(self, image: Image.Image) -> Reading:
        """The whole picture, bounded in area."""
        _check_aspect(image.size)
        config = self.model.config.vision_config
        features = self.image_processor(image, return_tensors="pt")
        grid = features["image_grid_thw"]
        _, rows, columns = grid[0].tolist()
        block = config.spatial_merge_size
        frame = geometry.Frame.of(image.size)
        patches = geometry.patches(frame.grid(rows // block, columns // block))
        return Reading(
            BatchFeature({"pixel_values": features["pixel_values"], "image_grid_thw": grid}),
            self.image_token * len(patches),
            patches,
            geometry.patches(frame.grid(rows, columns)).chosen(tower_order(config, grid)),
            geometry.picture(self.image_processor, self._pixels(features)),
        )

    def _pixels(self, features: BatchFeature) -> Tensor:
        """The picture (3 x height x width) that was cut into patches, each given twice in time."""
        _, rows, columns = features["image_grid_thw"][0].tolist()
        pictures = self.image_processor
        block, side = pictures.merge_size, pictures.patch_size
        blocks = rows // block, columns // block, block, block
        shape = *blocks, 3, pictures.temporal_patch_size, side, side
        once = features["pixel_values"].reshape(shape)[..., 0, :, :]
        return once.permute(4, 0, 2, 5, 1, 3, 6).reshape(3, rows * side, columns * side)

    def doors(self) -> dict[str, tuple[Door, ...]]:
        """State k is what layer k + 1 is given, and the last what the final norm is given.

        So state k holds what deepstack adds after layer k.
        """
        count = len(self.model.get_submodule(self.layers))
        given = (*(f"{self.layers}.{i}" for i in range(count)), "model.language_model.norm")
        return super().doors() | {LANGUAGE: tuple(Door(module, "in") for module in given)}

    def preprocessing(self) -> dict[str, object]:
        """As of any decoder, and the largest area that a picture is resized to."""
        return super().preprocessing() | {"max_pixels": self.image_processor.size.longest_edge}


def tower_order(config: PreTrainedConfig, grid: Tensor) -> Int[np.ndarray, "token"]:
    """Which patch, counted line by line, each token of the tower is.

    config: of the tower. grid: 1 x 3, the picture's frames (one), lines and columns of patches.
    """
    block = config.spatial_merge_size
    row, column = get_vision_position_ids(grid, block).T
    order = row * grid[0, 2] + column
    if isinstance(config, Qwen2_5_VLVisionConfig):
        windows, _ = get_vision_window_index(grid, block, config.window_size, config.patch_size)
        order = order.reshape(-1, block**2)[windows].flatten()
    return order.numpy()


def _check_aspect(size: geometry.Size) -> None:
    if max(size) > MOST_ELONGATED * min(size):
        raise ImageError(
            f"The picture has {size[0]} x {size[1]} pixels; this model reads none that is more "
            f"than {MOST_ELONGATED} times as long as wide. Crop it."
        )


def _bound(pictures: BaseImageProcessor) -> None:
    """Let no picture be resized to more than MOST_TOKENS blocks, nor fewer than it must have."""
    most = MOST_TOKENS * (pictures.patch_size * pictures.merge_size) ** 2
    least = pictures.size.shortest_edge  # areas, in spite of their names
    longest = max(least, min(pictures.size.longest_edge, most))
    pictures.size = SizeDict(shortest_edge=least, longest_edge=longest)


TEXT_ONLY = "<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
TEMPLATE = TEXT_ONLY.replace("{question}", "<|vision_start|><|image_pad|><|vision_end|>{question}")
CLASSES = {
    "qwen2_5_vl": Qwen2_5_VLForConditionalGeneration,
    "qwen2_vl": Qwen2VLForConditionalGeneration,
    "qwen3_vl": Qwen3VLForConditionalGeneration,
}


def load(path: Path, options: Options) -> QwenVL:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does."""
    kind = model_type(path)
    model = pretrained(CLASSES[kind], path, options, strict=False)
    tokenizer, pictures, template = processors(path, TEMPLATE, TEXT_ONLY)
    _bound(pictures)
    return QwenVL(model, tokenizer, pictures, template, kind)

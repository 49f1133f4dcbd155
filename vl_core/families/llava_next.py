"""LLaVA-NeXT and OneVision: the whole picture, and the same in tiles at a higher resolution.

The picture keeps its aspect: it is padded to the best of some sizes and cut into square tiles. The
tower looks at each tile alone. Their patches are put together again, padding is cut off, and the
language model reads them line by line behind those of the whole picture, with a newline token at
the end of each line: in its sequence the tiles interleave.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import (
    BatchFeature,
    LlavaNextForConditionalGeneration,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedConfig,
)
from transformers.image_processing_utils import get_patch_output_size, select_best_resolution
from transformers.image_utils import ChannelDimension
from transformers.models.llava_next.modeling_llava_next import unpad_image

from vl_core.errors import ImageError
from vl_core.families import Options, geometry, model_type
from vl_core.families.decoder import Decoder, Reading
from vl_core.families.llava import tower_table
from vl_core.families.loading import pretrained, processors
from vl_core.trace import TokenTable
from vl_core.trace.picture_views import TILES, WHOLE


@dataclass(frozen=True)
class Tiling:
    """How a picture is laid out on tiles.

    canvas: the padded picture. tile, patch: their sides in pixels. rows, columns: of tiles. kept:
    first and last line and column of patches, one past the last, that are left when padding is cut
    off. lines, line: how many lines of how many tokens are made of those.
    """

    canvas: geometry.Frame
    tile: int
    patch: int
    rows: int
    columns: int
    kept: tuple[slice, slice]
    lines: int
    line: int

    @classmethod
    def of(cls, config: PreTrainedConfig, size: geometry.Size) -> "Tiling":
        """The tiling of a picture of this size."""
        tile, patch = config.vision_config.image_size, config.vision_config.patch_size
        width, height = size
        best = select_best_resolution((height, width), config.image_grid_pinpoints)
        rows, columns, side = best[0] // tile, best[1] // tile, tile // patch
        kept = _without_padding(rows * side, columns * side, size)
        lines, line = (len(range(*one.indices(most))) for one, most in zip(kept, best, strict=True))
        lines, line = _thinned(config, lines, line, side)
        return cls(_canvas(size, best), tile, patch, rows, columns, kept, lines, line)

    @property
    def side(self) -> int:
        """Patches along a tile's edge."""
        return self.tile // self.patch

    def of_tiles(self) -> list[np.ndarray]:
        """For each tile, row by row, the boxes of its patches."""
        return list(self._boxes().reshape(self.rows * self.columns, -1, 4))

    def _boxes(self) -> np.ndarray:
        """Row x column x patches of that tile x 4; a rest at a tile's edge belongs to no patch."""
        tiles = [
            self.canvas.cropped((left, top, left + self.tile, top + self.tile)).squares(self.patch)
            for top in range(0, self.rows * self.tile, self.tile)
            for left in range(0, self.columns * self.tile, self.tile)
        ]
        return np.reshape(tiles, (self.rows, self.columns, self.side**2, 4))

    def of_lines(self) -> np.ndarray:
        """Line x token x 4: the boxes of what the language model reads."""
        down, across = self.kept
        tops, bottoms = self._edges(down, self.lines)
        lefts, rights = self._edges(across, self.line)
        edges = np.broadcast_arrays(lefts, tops[:, None], rights, bottoms[:, None])
        boxes = self.canvas.placed(np.stack(edges, axis=-1).reshape(-1, 4))
        return boxes.reshape(self.lines, self.line, 4)

    def _edges(self, kept: slice, count: int) -> tuple[np.ndarray, np.ndarray]:
        """First and last pixel on the canvas of so many cells that show these patches."""
        places = np.linspace(kept.start, kept.stop, count + 1)
        first, last = places[:-1], places[1:]
        return self._pixel(first, np.floor(first)), self._pixel(last, np.ceil(last) - 1)

    def _pixel(self, place: np.ndarray, patch: np.ndarray) -> np.ndarray:
        """Where on the canvas a place counted in patches lies, within this patch."""
        tile, number = np.divmod(patch, self.side)
        return tile * self.tile + (number + place - patch) * self.patch


def _canvas(size: geometry.Size, best: tuple[int, int]) -> geometry.Frame:
    """The picture in the middle of the tiles; best: their height and width in pixels."""
    # transformers asks for a picture where its size would do; this one takes no room.
    blank = np.broadcast_to(np.uint8(0), (3, size[1], size[0]))
    height, width = get_patch_output_size(blank, best, ChannelDimension.FIRST)
    left, top = (best[1] - width) // 2, (best[0] - height) // 2
    frame = geometry.Frame.of(size).resized((width, height))
    return frame.cropped((-left, -top, best[1] - left, best[0] - top))


def _without_padding(lines: int, line: int, size: geometry.Size) -> tuple[slice, slice]:
    """Which lines and columns of patches transformers keeps: it is asked with their numbers."""
    numbers = torch.arange(lines * line).reshape(1, lines, line)
    left = unpad_image(numbers, (size[1], size[0]))[0]
    if not left.numel():
        raise ImageError(
            f"The picture is {size[0]} x {size[1]} pixels: so narrow that nothing of it is left "
            "once this model has cut its padding off. Crop it to a wider shape."
        )
    first, last = divmod(int(left[0, 0]), line), divmod(int(left[-1, -1]), line)
    return slice(first[0], last[0] + 1), slice(first[1], last[1] + 1)


def _thinned(config: PreTrainedConfig, lines: int, line: int, side: int) -> tuple[int, int]:
    """OneVision interpolates what is more than so many tiles ("anyres_max_9") would show."""
    limit = getattr(config, "vision_aspect_ratio", "").removeprefix("anyres_max_")
    if not limit.isdigit():
        return lines, line
    ratio = math.sqrt(lines * line / (int(limit) * side**2))
    return (int(lines // ratio), int(line // ratio)) if ratio > 1.1 else (lines, line)


class LlavaNext(Decoder):
    """A tower that looks at the whole picture and at each tile, then a language model."""

    def reading(self, image: Image.Image) -> Reading:
        """The whole picture squeezed into a square, then the tiles."""
        config = self.model.config
        features = self.image_processor(
            image, return_tensors="pt", image_grid_pinpoints=config.image_grid_pinpoints
        )
        tiling = Tiling.of(config, image.size)
        whole = geometry.Frame.of(image.size).resized((tiling.tile, tiling.tile))
        first = tower_table(config, whole.squares(tiling.patch), WHOLE)
        tower = [first, *(tower_table(config, boxes, TILES) for boxes in tiling.of_tiles())]
        keeps_all = config.vision_feature_select_strategy != "default"
        read = [first if keeps_all else first.chosen(slice(1, None)), *_lines(tiling)]
        patches = TokenTable.joined(read)
        return Reading(
            BatchFeature({name: features[name] for name in ("pixel_values", "image_sizes")}),
            self.image_token * len(patches),
            patches,
            TokenTable.joined(tower),
            geometry.picture(self.image_processor, features["pixel_values"][0, 0]),
            len(tower),
        )


def _lines(tiling: Tiling) -> list[TokenTable]:
    """The tokens of each line, a newline at its end."""
    return [
        part
        for boxes in tiling.of_lines()
        for part in (geometry.patches(boxes, TILES), geometry.specials("newline"))
    ]


TEMPLATE = "USER: <image>\n{question} ASSISTANT:"
TEXT_ONLY = "USER: {question} ASSISTANT:"
CLASSES = {
    "llava_next": LlavaNextForConditionalGeneration,
    "llava_onevision": LlavaOnevisionForConditionalGeneration,
}


def load(path: Path, options: Options) -> LlavaNext:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does."""
    kind = model_type(path)
    model = pretrained(CLASSES[kind], path, options, strict=False)
    return LlavaNext(model, *processors(path, TEMPLATE, TEXT_ONLY), kind)

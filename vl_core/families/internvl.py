"""InternVL in transformers' own format ("-hf"): tiles of a stretched picture, then the whole.

The picture is stretched to the grid of square tiles whose aspect is nearest, and cut. Behind the
tiles comes the whole picture squeezed into one; a picture that fills one tile only is read once.
The tower looks at each by itself, with a class token that goes no further. Of each 2 x 2 patches
the language model reads one token, line by line.
"""

from copy import copy
from dataclasses import replace
from pathlib import Path

from PIL import Image
from transformers import BatchFeature, InternVLForConditionalGeneration
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas

from vl_core.families import Options, geometry
from vl_core.families.decoder import Decoder, LastReading, Reading
from vl_core.families.loading import pretrained, processors
from vl_core.trace import TokenTable
from vl_core.trace.picture_views import TILES, WHOLE


class InternVL(Decoder):
    """A tower that looks at each tile and at the whole picture, then a language model."""

    tower_layers = "model.vision_tower.encoder.layer"
    tower_attention = "attention"

    def reading(self, image: Image.Image) -> Reading:
        """The tiles row by row, then the whole picture."""
        features = self.image_processor(image, return_tensors="pt")
        patches = TokenTable.joined(self._tables(image.size, self._block))
        tower = [
            TokenTable.joined([geometry.specials("class"), table])
            for table in self._tables(image.size, 1)
        ]
        first, last = self.tokenizer.start_image_token, self.tokenizer.end_image_token
        return Reading(
            BatchFeature({"pixel_values": features["pixel_values"]}),
            f"{first}{self.image_token * len(patches)}{last}",
            patches,
            TokenTable.joined(tower),
            geometry.picture(self.image_processor, features["pixel_values"][-1]),
            len(tower),
        )

    @property
    def _block(self) -> int:
        """How many patches across and down become one token of the language model."""
        return int(1 / self.model.config.downsample_ratio)

    def _tables(self, size: geometry.Size, block: int) -> list[TokenTable]:
        """For each tile and the whole picture its patches, or blocks of them, line by line."""
        tile = self.image_processor.size
        down, across = self.model.config.vision_config.patch_size
        lines, line = tile.height // (down * block), tile.width // (across * block)
        rows, columns = self._tiling(size)
        frame = geometry.Frame.of(size)
        whole = geometry.patches(frame.grid(lines, line), WHOLE)
        if rows * columns == 1:
            return [whole]
        tiles = frame.tiles(rows, columns, lines, line)
        return [*(geometry.patches(boxes, TILES) for boxes in tiles), whole]

    def _tiling(self, size: geometry.Size) -> tuple[int, int]:
        """Rows and columns of tiles for a picture of this size."""
        pictures = self.image_processor
        columns, rows = get_optimal_tiled_canvas(
            size[::-1],
            (pictures.size.height, pictures.size.width),
            pictures.min_patches,
            pictures.max_patches,
        )
        return rows, columns

    def untiled(self) -> "InternVL":
        """The same model, fed with the whole picture only: even small ones make many tiles."""
        pictures = copy(self.image_processor)
        pictures.min_patches = pictures.max_patches = 1
        return replace(self, image_processor=pictures, memory=LastReading())


TEXT_ONLY = "<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
TEMPLATE = TEXT_ONLY.replace("{question}", "<IMG_CONTEXT>\n{question}")


def load(path: Path, options: Options) -> InternVL:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does."""
    model = pretrained(InternVLForConditionalGeneration, path, options, strict=False)
    tokenizer, pictures, template = processors(path, TEMPLATE, TEXT_ONLY)
    pictures.crop_to_patches = True  # as the published processor does, whatever its file says
    return InternVL(model, tokenizer, pictures, template, "internvl")

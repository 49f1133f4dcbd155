"""Idefics3 and SmolVLM: tiles of a stretched picture, then the whole; one token for a block.

The picture is resized to the length that the checkpoint asks of its longer side, stretched to whole
tiles and cut. Behind the tiles comes the whole picture squeezed into one; a picture that fills one
tile only is read once. The tower looks at each by itself. Of each square block of patches ("pixel
shuffle") the language model reads one token, line by line; before each tile stands in words which
row and column it is, and after each row of tiles a new line. Small SmolVLMs are of type idefics3.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path

from PIL import Image
from transformers import (
    BatchFeature,
    Idefics3ForConditionalGeneration,
    SmolVLMForConditionalGeneration,
)
from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string

from vl_core.families import Options, geometry, model_type
from vl_core.families.decoder import Decoder, LastReading, Reading
from vl_core.families.geometry import Frame
from vl_core.families.loading import pretrained, processors
from vl_core.trace import TokenTable
from vl_core.trace.picture_views import TILES, WHOLE

AROUND, GLOBAL = "<fake_token_around_image>", "<global-img>"


class Idefics3(Decoder):
    """A tower that looks at each tile and at the whole picture, then a language model."""

    layers = "model.text_model.layers"
    tower_layers = "model.vision_model.encoder.layers"

    def reading(self, image: Image.Image) -> Reading:
        """The tiles row by row, then the whole picture."""
        features = self.image_processor(image, return_tensors="pt", return_row_col_info=True)
        rows, columns = features["rows"][0][0], features["cols"][0][0]
        pixels = features["pixel_values"][0]
        frames = list(_frames(image.size, rows, columns, pixels.shape[-1]))
        side = self.model.config.vision_config.patch_size
        block = side * self.model.config.scale_factor
        tower = [geometry.patches(frame.squares(side), view) for frame, view in frames]
        read = [geometry.patches(frame.squares(block), view) for frame, view in frames]
        return Reading(
            BatchFeature({n: features[n] for n in ("pixel_values", "pixel_attention_mask")}),
            get_image_prompt_string(rows, columns, len(read[-1]), AROUND, self.image_token, GLOBAL),
            TokenTable.joined(read),
            TokenTable.joined(tower),
            geometry.picture(self.image_processor, pixels[-1]),
            len(frames),
        )

    def untiled(self) -> "Idefics3":
        """The same model, fed with the whole picture only: even small ones make many tiles."""
        pictures = copy(self.image_processor)
        pictures.do_image_splitting = False
        return replace(self, image_processor=pictures, memory=LastReading())


def _frames(size: geometry.Size, rows: int, columns: int, tile: int) -> Iterator[tuple[Frame, str]]:
    """Each tile, row by row, and the whole picture, with its view.

    rows, columns: of tiles, none for a picture that is not cut. tile: its edge in pixels.
    """
    whole = Frame.of(size)
    stretched = whole.resized((columns * tile, rows * tile))
    for row in range(rows):
        for column in range(columns):
            left, top = column * tile, row * tile
            yield stretched.cropped((left, top, left + tile, top + tile)), TILES
    yield whole.resized((tile, tile)), WHOLE


TEXT_ONLY = "User: {question}<end_of_utterance>\nAssistant:"
TEMPLATE = "User:<image>{question}<end_of_utterance>\nAssistant:"
CLASSES = {
    "idefics3": Idefics3ForConditionalGeneration,
    "smolvlm": SmolVLMForConditionalGeneration,
}


def load(path: Path, options: Options) -> Idefics3:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does."""
    kind = model_type(path)
    model = pretrained(CLASSES[kind], path, options, strict=False)
    return Idefics3(model, *processors(path, TEMPLATE, TEXT_ONLY), kind)

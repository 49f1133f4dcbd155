"""Gemma 3 with pictures: tokens of a picture look at each other in both directions.

The picture is squeezed into a square, and the average of each square block of patches is one token
of the language model. Words look back; tokens of a picture look at all of the picture besides. Most
layers, five of six, look back only so far ("sliding window"). Cut-outs of long pictures ("pan and
scan") are off, as they are in the published processor unless it is told otherwise.
"""

from pathlib import Path

from PIL import Image
from transformers import BatchFeature, Gemma3ForConditionalGeneration

from vl_core.example import Example
from vl_core.families import Options, geometry
from vl_core.families.decoder import Decoder, Reading
from vl_core.families.llava import tower_table
from vl_core.families.loading import pretrained, processors


class Gemma3(Decoder):
    """A SigLIP tower, then a language model of the Gemma 3 kind."""

    @property
    def picture_sign(self) -> str:
        """What a picture begins with stands for all of it."""
        return str(self.tokenizer.boi_token)

    def inputs(self, example: Example) -> BatchFeature:
        """As of any decoder, and which tokens are a picture's."""
        inputs = super().inputs(example)
        is_patch = inputs["input_ids"] == self.model.config.image_token_id
        inputs["token_type_ids"] = is_patch.long()
        return inputs

    def reading(self, image: Image.Image) -> Reading:
        """The whole picture, block by block."""
        config = self.model.config
        features = self.image_processor(image, return_tensors="pt")
        frame = geometry.as_processed(self.image_processor, image.size)
        side = config.vision_config.patch_size
        block = side * self.model.model.multi_modal_projector.kernel_size
        blocks = geometry.patches(frame.squares(block))
        last = self.tokenizer.eoi_token
        return Reading(
            BatchFeature({"pixel_values": features["pixel_values"]}),
            f"\n\n{self.picture_sign}{self.image_token * len(blocks)}{last}\n\n",
            blocks,
            tower_table(config, frame.squares(side)),
            geometry.picture(self.image_processor, features["pixel_values"][0]),
        )


TEXT_ONLY = "<bos><start_of_turn>user\n{question}<end_of_turn>\n<start_of_turn>model\n"
TEMPLATE = TEXT_ONLY.replace("{question}", "<start_of_image>{question}")


def load(path: Path, options: Options) -> Gemma3:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does."""
    model = pretrained(Gemma3ForConditionalGeneration, path, options, strict=False)
    tokenizer, pictures, template = processors(path, TEMPLATE, TEXT_ONLY)
    pictures.do_pan_and_scan = False
    return Gemma3(model, tokenizer, pictures, template, "gemma3")

"""LLaVA 1.5: the patches of one square picture enter the language model as tokens of the prompt."""

from pathlib import Path

from PIL import Image
from transformers import BatchFeature, LlavaForConditionalGeneration, PreTrainedConfig

from vl_core.arrays import Boxes
from vl_core.errors import ModelError
from vl_core.families import Options, geometry
from vl_core.families.decoder import Decoder, Reading
from vl_core.families.loading import pretrained, processors
from vl_core.trace import TokenTable

TEMPLATE = "USER: <image>\n{question} ASSISTANT:"
TEXT_ONLY = "USER: {question} ASSISTANT:"


class Llava(Decoder):
    """A CLIP-like tower whose class token may be left out, then a language model."""

    def reading(self, image: Image.Image) -> Reading:
        """What is left of the picture when it is resized and cut to a square, patch by patch."""
        config = self.model.config
        features = self.image_processor(image, return_tensors="pt")
        frame = geometry.as_processed(self.image_processor, image.size)
        tower = tower_table(config, frame.squares(config.vision_config.patch_size))
        # PaliGemma has no such setting: it reads all of the tower.
        keeps_all = getattr(config, "vision_feature_select_strategy", "full") != "default"
        read = tower if keeps_all else tower.chosen(slice(1, None))
        return Reading(
            BatchFeature({"pixel_values": features["pixel_values"]}),
            self.image_token * len(read),
            read,
            tower,
            geometry.picture(self.image_processor, features["pixel_values"][0]),
        )


def tower_table(config: PreTrainedConfig, boxes: Boxes, view: str = "") -> TokenTable:
    """The tokens of the tower for one picture or tile; CLIP's begins with a class token.

    Raises ModelError for another tower than those of CLIP and SigLIP.
    """
    kind = config.vision_config.model_type
    if kind not in ("clip_vision_model", "siglip_vision_model"):
        raise ModelError(
            f"The vision tower is of type {kind!r}; covered are those of CLIP and SigLIP. Choose "
            "another checkpoint."
        )
    patches = geometry.patches(boxes, view)
    if kind == "siglip_vision_model":
        return patches
    return TokenTable.joined([geometry.specials("class"), patches])


def load(path: Path, options: Options) -> Llava:
    """The checkpoint in this folder, ready to run; raises as `loading.pretrained` does."""
    model = pretrained(LlavaForConditionalGeneration, path, options, strict=False)
    return Llava(model, *processors(path, TEMPLATE, TEXT_ONLY), "llava")

"""What models have in common that read a detector's regions in the place of a picture."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from vl_core.detections import Detections
from vl_core.errors import ImageError
from vl_core.example import Example
from vl_core.families import pairs
from vl_core.trace import TokenTable


@dataclass(frozen=True)
class Reader(pairs.Choosing):
    """One loaded checkpoint that reads words and regions, ready to be traced."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def seen(self, example: Example) -> Image.Image | None:
        """The picture; the model itself sees what the detector made of it."""
        return example.image


def detections(example: Example, width: int) -> Detections:
    """The example's regions; raises ImageError if there are none or none that the model reads."""
    found = example.detections
    if found is None:
        raise ImageError(
            "This model reads no pixels but the regions that a detector found in the picture. Give "
            f"a file with the features (region x {width}) and boxes of these."
        )
    came = found.features.shape[1]
    if came != width:
        raise ImageError(
            f"The regions have features of {came} numbers; this model reads {width} for each. Use "
            "the detector that it was trained with."
        )
    return found


def features(found: Detections) -> Tensor:
    """Their features as a batch of one: 1 x region x width."""
    return torch.from_numpy(np.array(found.features))[None]


def tokens(found: Detections, size: tuple[int, int]) -> TokenTable:
    """A token for each region, cut to a picture of this width and height."""
    edges = found.boxes.clip(0, np.tile(size, 2))
    has_area = np.all(edges[:, 2:] > edges[:, :2], axis=1)
    return TokenTable.of(
        [f"region {i + 1}" for i in range(len(found))],
        ["image"] * len(found),
        boxes=np.where(has_area[:, None], edges, np.nan),
    )

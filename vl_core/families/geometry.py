"""Which part of the original a patch shows: through resizing, cropping and padding."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from transformers import BaseImageProcessor
from transformers.image_transforms import get_resize_output_image_size, get_size_with_aspect_ratio
from transformers.image_utils import ChannelDimension, SizeDict

from vl_core.arrays import Boxes
from vl_core.trace import TokenTable

Size = tuple[int, int]  # width and height
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Frame:
    """A picture on its way into a model: its size now, and where that lies in the original.

    box: in pixels of the original; beyond its edges where the picture was padded.
    """

    original: Size
    size: Size
    box: Box

    @classmethod
    def of(cls, original: Size) -> "Frame":
        """The picture as it came."""
        return cls(original, original, (0.0, 0.0, float(original[0]), float(original[1])))

    def resized(self, size: Size) -> "Frame":
        """Stretched or squeezed to this size."""
        return Frame(self.original, size, self.box)

    def cropped(self, box: Box) -> "Frame":
        """The part in this box, in pixels of the present size; beyond its edges lies padding."""
        scales = self._scales()
        left, top = self.box[0] + box[0] * scales[0], self.box[1] + box[1] * scales[1]
        right, bottom = self.box[0] + box[2] * scales[0], self.box[1] + box[3] * scales[1]
        size = round(box[2] - box[0]), round(box[3] - box[1])
        return Frame(self.original, size, (left, top, right, bottom))

    def center_cropped(self, size: Size) -> "Frame":
        """The middle of the picture, as transformers cuts it; a smaller picture is padded."""
        left, top = ((now - wanted) // 2 for now, wanted in zip(self.size, size, strict=True))
        return self.cropped((left, top, left + size[0], top + size[1]))

    def _scales(self) -> tuple[float, float]:
        """How many pixels of the original one of the present stands for, across and down."""
        left, top, right, bottom = self.box
        return (right - left) / self.size[0], (bottom - top) / self.size[1]

    def grid(self, rows: int, columns: int) -> Boxes:
        """The boxes of rows x columns equal cells, row by row, as `placed` gives them."""
        row, column = np.divmod(np.arange(rows * columns), columns)
        edges = np.stack([column, row, column + 1, row + 1], axis=1)
        return self.placed(edges * np.tile(np.array(self.size) / (columns, rows), 2))

    def placed(self, boxes: Boxes) -> Boxes:
        """These boxes in present pixels, in pixels of the original.

        What lies beyond the picture is cut off; a box of nothing but padding has no place (nan).
        """
        edges = np.tile(self.box[:2], 2) + boxes * np.tile(self._scales(), 2)
        inside = edges.clip(0, np.tile(self.original, 2))
        has_area = (inside[:, 2:] - inside[:, :2] > 1e-6).all(axis=1)
        return np.where(has_area[:, None], inside, np.nan)

    def squares(self, side: int) -> Boxes:
        """The boxes of squares of so many present pixels, row by row, as many as fit.

        What is left over on the right and below is no part of them: convolutions do not see it.
        """
        columns, rows = (length // side for length in self.size)
        return self.cropped((0, 0, columns * side, rows * side)).grid(rows, columns)

    def tiles(self, rows: int, columns: int, lines: int, line: int) -> list[Boxes]:
        """Cut into rows x columns tiles: for each, row by row, its grid of lines x line cells."""
        shape = rows, lines, columns, line, 4
        boxes = self.grid(rows * lines, columns * line).reshape(shape).transpose(0, 2, 1, 3, 4)
        return list(boxes.reshape(rows * columns, lines * line, 4))


def patches(boxes: Boxes, view: str = "") -> TokenTable:
    """A token for each patch; one that shows nothing but padding is special."""
    has_place = ~np.isnan(boxes).any(axis=1)
    return TokenTable.of(
        [f"patch {i + 1}" if placed else "padding" for i, placed in enumerate(has_place)],
        ["image" if placed else "special" for placed in has_place],
        boxes=boxes,
        views=[view if placed else "" for placed in has_place],
    )


def specials(*names: str) -> TokenTable:
    """Tokens that stand for no word and no patch."""
    return TokenTable.of(names, ["special"] * len(names))


def picture(processor: BaseImageProcessor, pixels: Tensor) -> Image.Image:
    """What the model was given (3 x height x width), with the normalisation taken back."""
    values = pixels.float().cpu().numpy()
    if processor.do_normalize:
        moments = np.array([processor.image_std, processor.image_mean])
        values = values * moments[0, :, None, None] + moments[1, :, None, None]
    if not processor.do_rescale:
        values = values / 255
    return Image.fromarray((values * 255).round().clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def settings(processor: BaseImageProcessor) -> dict[str, Any]:
    """All that decides what becomes of a picture, as plain values for a file."""
    return dict(json.loads(processor.to_json_string()))


def as_processed(processor: BaseImageProcessor, original: Size) -> Frame:
    """A picture of this size after the usual steps: resized, then its middle cut out."""
    frame = Frame.of(original)
    if processor.do_resize:
        frame = frame.resized(_resized(processor.size, original))
    if processor.do_center_crop:
        frame = frame.center_cropped((processor.crop_size.width, processor.crop_size.height))
    return frame


def _resized(size: SizeDict, original: Size) -> Size:
    """What transformers' own functions make of a picture of this size."""
    width, height = original
    shortest, longest = size.shortest_edge, size.longest_edge
    if shortest and longest:
        height, width = get_size_with_aspect_ratio((height, width), shortest, longest)
    elif shortest:
        # It asks for a picture where its size would do; this one takes no room.
        blank = np.broadcast_to(np.uint8(0), (3, height, width))
        height, width = get_resize_output_image_size(
            blank, shortest, default_to_square=False, input_data_format=ChannelDimension.FIRST
        )
    else:
        height, width = size.height or height, size.width or width
    return width, height

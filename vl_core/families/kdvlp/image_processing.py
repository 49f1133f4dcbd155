"""Pictures for KD-VLP-style models: the aspect is kept, each side becomes whole cells."""

from collections.abc import Iterable, Sequence
from math import ceil

import numpy as np
from PIL import Image
from transformers import BatchFeature
from transformers.image_processing_utils import BaseImageProcessor

from vl_core.errors import ImageError


class KDVLPImageProcessor(BaseImageProcessor):
    """Make the longer side `max_cells` cells long, the shorter one the nearest number of cells.

    A picture so long and narrow that fewer than `min_cells` cells would be left is refused
    (`ImageError`).
    """

    model_input_names = ["pixel_values", "pixel_mask"]  # noqa: RUF012 - read by transformers

    def __init__(
        self,
        *,
        stride: int = 16,
        max_cells: int = 8,
        min_cells: int = 2,
        image_mean: Sequence[float] = (0.65, 0.65, 0.65),
        image_std: Sequence[float] = (0.25, 0.25, 0.25),
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.stride = stride
        self.max_cells = max_cells
        self.min_cells = min_cells
        self.image_mean = list(image_mean)
        self.image_std = list(image_std)

    def grid(self, width: int, height: int) -> tuple[int, int]:
        """Rows and columns of cells for a picture of this size in pixels.

        Raises `ImageError` if it is too narrow.
        """
        longer = max(width, height)
        # Halves round up, so that the outcome does not hang on a rounding rule for even numbers.
        columns, rows = (
            max(0, int(self.max_cells * side / longer + 0.5)) for side in (width, height)
        )
        if min(rows, columns) < self.min_cells:
            raise ImageError(
                f"This picture is {width} x {height} pixels: too narrow for this model, which "
                f"needs {ceil(longer * (self.min_cells - 0.5) / self.max_cells)} pixels or more "
                "on the shorter side. Please crop it."
            )
        return rows, columns

    def resized(self, image: Image.Image) -> Image.Image:
        """The picture as the model sees it, before its colours are normalised."""
        rows, columns = self.grid(*image.size)
        size = (columns * self.stride, rows * self.stride)
        image = image.convert("RGB")
        return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)

    def preprocess(
        self,
        images: Image.Image | Iterable[Image.Image],
        *,
        return_tensors: str | None = None,
        **_kwargs: object,
    ) -> BatchFeature:
        """`pixel_values` (picture, 3, height, width), float32, padded at the right and below.

        `pixel_mask` (picture, height, width), 1 where there is picture, comes with a batch that
        mixes sizes.
        """
        pictures = [images] if isinstance(images, Image.Image) else list(images)
        arrays = [self._normalised(self.resized(_picture(picture))) for picture in pictures]
        height, width = (max(array.shape[axis] for array in arrays) for axis in (1, 2))
        data = {"pixel_values": np.stack([_padded(array, height, width) for array in arrays])}
        if len({array.shape for array in arrays}) > 1:
            data["pixel_mask"] = np.stack(
                [_padded(np.ones(array.shape[1:], np.int64), height, width) for array in arrays]
            )
        return BatchFeature(data, tensor_type=return_tensors)

    def _normalised(self, image: Image.Image) -> np.ndarray:
        pixels = np.asarray(image, np.float32) / 255
        pixels = (pixels - np.array(self.image_mean, np.float32)) / np.array(
            self.image_std, np.float32
        )
        return pixels.transpose(2, 0, 1)


def _picture(image: Image.Image | np.ndarray) -> Image.Image:
    return image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image))


def _padded(array: np.ndarray, height: int, width: int) -> np.ndarray:
    bottom, right = height - array.shape[-2], width - array.shape[-1]
    return np.pad(array, [(0, 0)] * (array.ndim - 2) + [(0, bottom), (0, right)])

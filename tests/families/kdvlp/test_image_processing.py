"""The image processor: aspect, cells, colours, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.families.kdvlp.small import noise
from vl_core.errors import ImageError
from vl_core.families.kdvlp import KDVLPImageProcessor


@given(st.integers(20, 400), st.integers(20, 400))
def test_grid_keeps_the_aspect_to_half_a_cell(width, height):
    """The longer side has all cells, the shorter the nearest whole number of them."""
    longer = max(width, height)
    if min(width, height) / longer < 1.5 / 8:
        with pytest.raises(ImageError):
            KDVLPImageProcessor().grid(width, height)
        return
    rows, columns = KDVLPImageProcessor().grid(width, height)

    assert max(rows, columns) == 8
    assert abs(columns - 8 * width / longer) <= 0.5
    assert abs(rows - 8 * height / longer) <= 0.5


@pytest.mark.parametrize(
    ("size", "shape"), [((300, 200), (80, 128)), ((200, 300), (128, 80)), ((7, 7), (128, 128))]
)
def test_pixels_have_whole_cells(size, shape):
    """Width and height stay apart, small pictures are enlarged."""
    pixels = KDVLPImageProcessor()(noise(*size))["pixel_values"]

    assert pixels.shape == (1, 3, *shape)
    assert pixels.dtype == np.float32


@pytest.mark.parametrize("size", [(2000, 10), (10, 2000), (160, 29)])
def test_narrow_pictures_are_refused_with_what_would_do(size):
    """The message names the size that came and the shorter side that would do; that one does."""
    processor = KDVLPImageProcessor()
    with pytest.raises(ImageError, match=f"{size[0]} x {size[1]}") as refusal:
        processor(noise(*size))
    needed = int(str(refusal.value).split("needs ")[1].split()[0])

    assert min(processor.grid(max(size), needed)) == 2
    with pytest.raises(ImageError):
        processor.grid(max(size), needed - 1)


def test_colours_are_normalised():
    """Each channel is (share of full brightness - mean) / std, in the order red, green, blue."""
    processor = KDVLPImageProcessor(image_mean=(0.1, 0.2, 0.3), image_std=(0.5, 0.25, 2.0))
    pixels = processor(Image.new("RGB", (128, 64), (255, 51, 0)))["pixel_values"][0, :, 3, 5]

    np.testing.assert_allclose(pixels, [0.9 / 0.5, 0, -0.3 / 2], atol=1e-6)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "LA"])
def test_other_colour_modes_become_rgb(mode):
    """Whatever PIL has opened gives three channels."""
    assert KDVLPImageProcessor()(noise(64, 64).convert(mode))["pixel_values"].shape[1] == 3


def test_a_batch_of_mixed_sizes_is_padded_and_masked():
    """The mask is 1 exactly where there is picture; pictures of one size come without a mask."""
    processor = KDVLPImageProcessor()
    wide, tall = noise(128, 64), noise(96, 128)
    batch = processor([wide, tall])

    assert batch["pixel_values"].shape == (2, 3, 128, 128)
    assert batch["pixel_mask"][0, :64].all()
    assert batch["pixel_mask"][1, :, :96].all()
    assert batch["pixel_mask"].sum() == 128 * 64 + 96 * 128
    np.testing.assert_array_equal(
        batch["pixel_values"][1, :, :, :96], processor(tall)["pixel_values"][0]
    )
    assert "pixel_mask" not in processor([wide, wide])

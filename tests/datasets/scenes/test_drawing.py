"""Pictures, boxes and masks: they show one geometry at every size."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from vl_core.datasets.scenes import COLORS, SHAPES, scene

SIZES_DRAWN = [((128, 128), 128), ((128, 80), 200), ((64, 128), 256)]


def inside(outline, points):
    """Even-odd rule, one edge after another: which points lie inside a polygon."""
    result = np.zeros(len(points), bool)
    x, y = points.T
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            result ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return result


def covered(outline, width, height):
    """The share of each pixel inside a polygon, from 8 x 8 points in it."""
    y, x = np.mgrid[: height * 8, : width * 8]
    points = (np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) / 8
    return inside(outline, points).reshape(height, 8, width, 8).mean(axis=(1, 3))


@pytest.mark.parametrize(("size", "longer_side"), SIZES_DRAWN)
def test_pictures_boxes_and_masks_have_the_size_that_was_asked_for(size, longer_side):
    """The longer side is as asked and the aspect is the canvas's."""
    one = scene(5, size)
    picture = one.render(longer_side)
    width, height = (round(side * longer_side / 128) for side in size)

    assert picture.mode == "RGB"
    assert picture.size == (width, height)
    assert one.masks(longer_side).shape == (len(one.objects), height, width)
    assert one.boxes(longer_side).dtype == np.float32
    np.testing.assert_allclose(one.boxes(longer_side), one.boxes() * longer_side / 128, rtol=1e-6)


def test_a_scene_is_drawn_the_same_each_time():
    """No randomness is left outside the scene itself."""
    one = scene(11)

    assert one.render(200).tobytes() == one.render(200).tobytes()
    assert one.render().tobytes() != replace(one, background=one.background + 1).render().tobytes()


@pytest.mark.parametrize("seed", range(6))
def test_a_large_picture_made_small_is_the_small_picture(seed):
    """The picture on screen is the one the model was trained on, to within its grain."""
    one = scene(seed)
    small = np.asarray(one.render(128), float)
    shrunk = np.asarray(one.render(512).reduce(4), float)

    assert np.abs(small - shrunk).mean() < 2.5
    assert np.abs(small.mean(axis=(0, 1)) - shrunk.mean(axis=(0, 1))).max() < 1


@pytest.mark.parametrize(("size", "longer_side"), SIZES_DRAWN)
def test_masks_are_the_pixels_at_least_half_inside_the_outline(size, longer_side):
    """A slow point-in-polygon count agrees wherever a pixel is not close to half covered."""
    one = scene(3, size)
    scale = longer_side / 128

    for item, mask in zip(one.objects, one.masks(longer_side), strict=True):
        share = covered(item.outline(scale), mask.shape[1], mask.shape[0])
        clear = np.abs(share - 0.5) > 0.3  # Pillow's polygons are an eighth of a pixel too wide
        np.testing.assert_array_equal(mask[clear], share[clear] > 0.5)


@pytest.mark.parametrize("shape", SHAPES)
def test_masks_are_the_pixels_that_are_painted(shape):
    """Give an object another color: what changes is its mask and the pixels at its border."""
    one = scene(21, (128, 96))
    *others, last = one.objects
    red, blue = (
        replace(one, objects=(*others, replace(last, shape=shape, color=color)))
        for color in ("red", "blue")
    )
    mask = red.masks(256)[-1]
    difference = np.asarray(red.render(256), int) - np.asarray(blue.render(256), int)
    changed = np.abs(difference).max(axis=2) > 0
    # Five pixels wide: the tips of moons and hearts are too thin to fill half a pixel.
    grown = np.asarray(Image.fromarray(mask).convert("L").filter(ImageFilter.MaxFilter(5))) > 0

    assert changed[mask].all()
    assert not changed[~grown].any()


@pytest.mark.parametrize("shape", SHAPES)
def test_boxes_are_the_bounds_of_the_masks(shape):
    """No mask pixel lies outside its box, and each side of the box is within a tip's width."""
    one = scene(8, (96, 128))
    one = replace(one, objects=tuple(replace(item, shape=shape) for item in one.objects))

    for box, mask in zip(one.boxes(768), one.masks(768), strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        bounds = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        assert (np.abs(bounds - box) < 4).all()
        assert (bounds[:2] > box[:2] - 1).all()
        assert (bounds[2:] < box[2:] + 1).all()


def test_each_color_is_told_apart_from_the_others_and_from_every_backdrop():
    """Whatever tint and backdrop, an object's mean color is nearest to that of its own color."""
    seen = {color: [] for color in COLORS}
    behind = []
    for seed in range(80):
        one = scene(seed)
        picture = np.asarray(one.render(), float)
        masks = one.masks()
        behind.append(picture[~masks.any(axis=0)].mean(axis=0))
        for item, mask in zip(one.objects, masks, strict=True):
            seen[item.color].append(picture[mask].mean(axis=0))
    centers = {color: np.mean(pixels, axis=0) for color, pixels in seen.items()}

    for color, pixels in seen.items():
        for pixel in pixels:
            gaps = {name: np.linalg.norm(pixel - center) for name, center in centers.items()}
            assert min(gaps, key=gaps.get) == color
            assert min(np.linalg.norm(pixel - other) for other in behind) > 60

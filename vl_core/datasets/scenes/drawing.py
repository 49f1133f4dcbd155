"""Drawing a scene's objects, the same at every size: shadows, bodies, and the exact masks."""

from collections.abc import Sequence
from math import ceil, floor
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32
from PIL import Image, ImageDraw, ImageFilter

from vl_core.datasets.scenes.backdrops import Frame, Picture, backdrop, grain
from vl_core.datasets.scenes.objects import SceneObject

__all__ = ["Frame", "masks", "render"]

# Patches have rows and columns of their own.
Coverage = Float32[np.ndarray, "patch_row patch_column"]  # the covered share of each pixel
PatchColors = Float32[np.ndarray, "patch_row patch_column 3"]  # brightness, 0..255

_COLORS = {
    "red": (216, 50, 52),
    "orange": (243, 138, 34),
    "yellow": (247, 211, 48),
    "green": (60, 162, 80),
    "cyan": (58, 198, 212),
    "blue": (50, 92, 208),
    "purple": (143, 70, 180),
    "gray": (124, 127, 131),
}
_TINT = 8  # brightness levels by which two red objects may differ, in all channels alike
_HUE_TINT = 3  # and in each channel by itself
_SHADOW_SHIFT = (1.3, 1.9)  # right and down, in scene pixels
_SHADOW_BLUR = 1.7  # scene pixels
_SHADOW_DEPTH = np.array([0.40, 0.38, 0.34], np.float32)  # a little blue is left in a shadow
_PADDING = 8  # scene pixels around an object, room for its shadow
_SUPERSAMPLING = 4


class _Patch(NamedTuple):
    """An object's coverage in a rectangle around it, and where that lies in the picture."""

    coverage: Coverage
    left: int
    top: int


def render(objects: Sequence[SceneObject], background: int, frame: Frame) -> Image.Image:
    """The picture in RGB; `background` seeds all that is not an object's place or words."""
    look = np.random.default_rng(background)
    picture = backdrop(look, frame)
    scene_size = (round(frame.width / frame.scale), round(frame.height / frame.scale))
    noise = grain(look, scene_size, frame)
    patches = [_patch(one, frame.scale) for one in objects]
    for patch in patches:
        _shade(picture, patch, frame.scale)
    for one, patch in zip(objects, patches, strict=True):
        tint = look.uniform(-_TINT, _TINT) + look.uniform(-_HUE_TINT, _HUE_TINT, 3)
        color = (np.array(_COLORS[one.color]) + tint).astype(np.float32)
        _paint(picture, patch, _body(one, color, patch, frame.scale))
    return Image.fromarray(np.clip(picture + noise + 0.5, 0, 255).astype(np.uint8))


def masks(objects: Sequence[SceneObject], frame: Frame) -> Bool[np.ndarray, "object row column"]:
    """The pixels that each object covers at least half."""
    result = np.zeros((len(objects), frame.height, frame.width), bool)
    for mask, one in zip(result, objects, strict=True):
        patch = _patch(one, frame.scale)
        place, part = _overlap(mask.shape, patch)
        mask[place] = patch.coverage[part] >= 0.5
    return result


def _patch(one: SceneObject, scale: float) -> _Patch:
    outline = one.outline(scale)
    padding = ceil(_PADDING * scale)
    left, top = (floor(edge) - padding for edge in outline.min(axis=0))
    right, bottom = (ceil(edge) + padding for edge in outline.max(axis=0))
    fine = Image.new("L", ((right - left) * _SUPERSAMPLING, (bottom - top) * _SUPERSAMPLING))
    corners = (outline - (left, top)) * _SUPERSAMPLING
    ImageDraw.Draw(fine).polygon(corners.ravel().tolist(), fill=255)
    return _Patch(np.asarray(fine.reduce(_SUPERSAMPLING), np.float32) / 255, left, top)


def _overlap(
    size: tuple[int, ...], patch: _Patch
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Rows and columns of a picture under a patch, and those of the patch inside the picture."""
    rows, columns = patch.coverage.shape
    first_row, first_column = max(patch.top, 0), max(patch.left, 0)
    last_row, last_column = min(patch.top + rows, size[0]), min(patch.left + columns, size[1])
    place = slice(first_row, last_row), slice(first_column, last_column)
    part = (
        slice(first_row - patch.top, last_row - patch.top),
        slice(first_column - patch.left, last_column - patch.left),
    )
    return place, part


def _blurred(coverage: Coverage, radius: float) -> Coverage:
    image = Image.fromarray((coverage * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255


def _shade(picture: Picture, patch: _Patch, scale: float) -> None:
    """Darken the backdrop where an object's soft shadow falls."""
    right, down = _SHADOW_SHIFT
    shadow = _moved(_blurred(patch.coverage, _SHADOW_BLUR * scale), right * scale, down * scale)
    place, part = _overlap(picture.shape, patch)
    picture[place] *= 1 - shadow[part][..., None] * _SHADOW_DEPTH


def _moved(coverage: Coverage, right: float, down: float) -> Coverage:
    """The array moved by fractions of pixels, so that a shadow is the same at every size."""
    for axis, distance in ((1, right), (0, down)):
        whole = floor(distance)
        near, far = np.roll(coverage, whole, axis), np.roll(coverage, whole + 1, axis)
        coverage = near + np.float32(distance - whole) * (far - near)
    return coverage


def _body(
    one: SceneObject, color: Float32[np.ndarray, "3"], patch: _Patch, scale: float
) -> PatchColors:
    """An object's color in its patch: lit from the upper left, with a dark rim and a highlight."""
    rows, columns = patch.coverage.shape
    radius = one.radius * scale
    x = (np.arange(columns, dtype=np.float32) + patch.left + 0.5 - one.x * scale) / radius
    y = (np.arange(rows, dtype=np.float32)[:, None] + patch.top + 0.5 - one.y * scale) / radius
    # A blurred mask falls off towards the edge: where it is low, there is the rim.
    rim = np.clip((0.86 - _blurred(patch.coverage, 0.75 * scale)) / 0.3, 0, 1)
    light = (1.05 - 0.10 * y - 0.05 * x) * (1 - 0.36 * rim)
    gloss = 0.34 * np.exp(-((x + 0.28) ** 2 + (y + 0.34) ** 2) / 0.10) * (1 - rim)
    lit = color * light[..., None]
    return lit + (255 - lit) * gloss[..., None]


def _paint(picture: Picture, patch: _Patch, body: PatchColors) -> None:
    place, part = _overlap(picture.shape, patch)
    picture[place] += (body[part] - picture[place]) * patch.coverage[part][..., None]

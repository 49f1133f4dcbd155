"""What lies behind the objects: a light gradient, a faint texture, and grain over everything."""

from math import pi
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32
from PIL import Image

Picture = Float32[np.ndarray, "row column 3"]  # brightness, 0..255
Texture = Float[np.ndarray, "row column"]  # -1..1
Columns = Float[np.ndarray, "column"]  # x of each column in scene pixels
Rows = Float[np.ndarray, "row 1"]  # y of each row in scene pixels


class Frame(NamedTuple):
    """The size of a picture in pixels, and how many of them a scene pixel takes."""

    width: int
    height: int
    scale: float


# Two ends of a calm gradient: light enough for gray to stand out, and pale enough for yellow.
_GRADIENTS = np.array(
    [
        [(248, 243, 234), (236, 226, 210)],  # cream
        [(238, 244, 250), (216, 227, 240)],  # mist
        [(238, 246, 238), (216, 230, 217)],  # sage
        [(250, 239, 238), (238, 219, 217)],  # blush
        [(243, 240, 250), (224, 219, 240)],  # lilac
        [(246, 246, 246), (228, 229, 232)],  # paper
        [(234, 246, 245), (211, 230, 229)],  # mint
        [(250, 245, 228), (238, 229, 204)],  # straw
        [(240, 240, 246), (214, 219, 232)],  # dusk
        [(247, 240, 231), (230, 213, 199)],  # clay
    ],
    np.float32,
)
_TEXTURE_DEPTH = 5.0  # brightness levels
_GRAIN = 2.0  # brightness levels


def backdrop(look: np.random.Generator, frame: Frame) -> Picture:
    """A gradient in a random direction with a random texture."""
    start, end = _GRADIENTS[look.integers(len(_GRADIENTS))]
    turn = look.uniform(0, 2 * pi)
    columns, rows = np.arange(frame.width) + 0.5, np.arange(frame.height)[:, None] + 0.5
    across = np.cos(turn) * (columns / frame.width - 0.5)
    down = np.sin(turn) * (rows / frame.height - 0.5)
    blend = np.clip(0.5 + (across + down) / 1.3, 0, 1)[..., None]
    texture = _TEXTURES[look.integers(len(_TEXTURES))]
    pattern = texture(look, columns / frame.scale, rows / frame.scale, frame.scale)
    return (start + (end - start) * blend + _TEXTURE_DEPTH * pattern[..., None]).astype(np.float32)


def grain(
    look: np.random.Generator, scene_size: tuple[int, int], frame: Frame
) -> Float32[np.ndarray, "row column 1"]:
    """Brightness noise, one value per pixel of the scene (width, height) and smooth in between."""
    width, height = scene_size
    noise = look.normal(0, _GRAIN, (height, width)).astype(np.float32)
    if frame.scale != 1:
        size = (frame.width, frame.height)
        noise = np.array(Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC))
    return noise[..., None]


def _wave(
    position: Float[np.ndarray, "..."], period: float, scale: float
) -> Float[np.ndarray, "..."]:
    """Bands of equal width, -1 and 1 in turn, whose edges are one picture pixel wide."""
    distance = np.arcsin(np.sin(2 * pi * position / period)) * period / (2 * pi)
    return np.clip(2 * distance * scale, -1, 1)


def _plain(_look: np.random.Generator, x: Columns, y: Rows, _scale: float) -> Texture:
    return np.zeros((len(y), len(x)))


def _stripes(look: np.random.Generator, x: Columns, y: Rows, scale: float) -> Texture:
    position = x + 0 * y if look.random() < 0.5 else y + 0 * x
    return 0.5 * _wave(position, look.uniform(9, 20), scale)


def _checks(look: np.random.Generator, x: Columns, y: Rows, scale: float) -> Texture:
    period = look.uniform(14, 26)
    return 0.45 * _wave(x, period, scale) * _wave(y, period, scale)


def _diagonals(look: np.random.Generator, x: Columns, y: Rows, scale: float) -> Texture:
    direction = 1 if look.random() < 0.5 else -1
    return 0.5 * _wave((x + direction * y) / np.sqrt(2), look.uniform(9, 20), scale)


def _dots(look: np.random.Generator, x: Columns, y: Rows, scale: float) -> Texture:
    pitch = look.uniform(9, 15)
    distance = np.hypot(x % pitch - pitch / 2, y % pitch - pitch / 2)
    return -np.clip((pitch * 0.18 - distance) * scale + 0.5, 0, 1)


_TEXTURES = (_plain, _stripes, _checks, _diagonals, _dots)

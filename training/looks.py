"""Other looks of the same picture: darker, brighter, flatter, compressed, softer, grainier."""

import io
import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

Look = Callable[[Image.Image], Image.Image]

_PLAIN_SHARE = 0.2  # of the pictures keep their look
_BRIGHTNESS = (0.5, 1.6)
_CONTRAST = (0.5, 1.3)
_QUALITY = (10, 90)  # of JPEG
_GRAIN = 8.0  # brightness levels, at most


def brightness(factor: float) -> Look:
    """All channels times the factor."""
    return lambda picture: ImageEnhance.Brightness(picture).enhance(factor)


def contrast(factor: float) -> Look:
    """The distance from the picture's mean brightness times the factor."""
    return lambda picture: ImageEnhance.Contrast(picture).enhance(factor)


def jpeg(quality: int) -> Look:
    """Compressed and read again."""

    def compressed(picture: Image.Image) -> Image.Image:
        content = io.BytesIO()
        picture.save(content, "JPEG", quality=quality)
        return Image.open(io.BytesIO(content.getvalue())).convert("RGB")

    return compressed


def blur(radius: float) -> Look:
    """Softened by a Gaussian with a radius in pixels."""
    return lambda picture: picture.filter(ImageFilter.GaussianBlur(radius))


def grain(deviation: float, seed: int) -> Look:
    """With brightness noise in each channel of each pixel."""

    def grainy(picture: Image.Image) -> Image.Image:
        pixels = np.asarray(picture, np.float32)
        noise = np.random.default_rng(seed).normal(0, deviation, pixels.shape)
        return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))

    return grainy


def any_look(rng: random.Random) -> Look:
    """A look drawn at random, several changes at once; one picture in five keeps its own."""
    if rng.random() < _PLAIN_SHARE:
        return lambda picture: picture
    changes = [brightness(rng.uniform(*_BRIGHTNESS)), contrast(rng.uniform(*_CONTRAST))]
    if rng.random() < 0.25:
        changes.append(blur(rng.uniform(0.3, 1.0)))
    if rng.random() < 0.3:
        changes.append(grain(rng.uniform(1, _GRAIN), rng.getrandbits(32)))
    if rng.random() < 0.3:
        changes.append(jpeg(rng.randint(*_QUALITY)))
    return lambda picture: _one_after_another(picture, changes)


def _one_after_another(picture: Image.Image, changes: list[Look]) -> Image.Image:
    for change in changes:
        picture = change(picture)
    return picture

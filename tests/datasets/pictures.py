"""Small pictures as files, for the tests of data sets."""

import io

import numpy as np
from PIL import Image


def png(width=24, height=18, seed=0):
    """The bytes of a PNG file of noise; not square, and of a size that no other seed has."""
    rng = np.random.default_rng(seed)
    content = io.BytesIO()
    pixels = rng.integers(0, 256, (height + seed, width, 3), np.uint8)
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def folder(path, names):
    """A folder with a picture under each of these names, each 18, 19, ... pixels high."""
    for seed, name in enumerate(names):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(png(seed=seed))
    return path

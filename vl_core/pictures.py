"""Reading pictures that come from anywhere: upright, RGB, eight bits, or one clear sentence."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from vl_core.errors import ImageError

MAX_PIXELS = 50_000_000  # a 48-megapixel phone picture passes; it takes 150 MB as RGB
MIN_SIDE = 16
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
WANTED = "Save it as JPEG or PNG and try again."


def read_picture(source: Image.Image | bytes | str | Path) -> Image.Image:
    """The picture as upright RGB with eight bits a channel.

    Animations give their first frame, transparency is laid on white, 16-bit values are scaled to
    eight bits, EXIF rotation is applied. Raises ImageError with what came, what was wanted and
    what to do.
    """
    picture = source if isinstance(source, Image.Image) else _opened(_content(source))
    _check_size(picture.size)
    try:
        picture.seek(0)
        picture.load()
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise ImageError(f"The picture is damaged or cut short ({error}). {WANTED}") from error
    return _rgb(ImageOps.exif_transpose(picture))


def _content(source: bytes | str | Path) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise ImageError(f"The picture {source} cannot be read: {error.strerror}.") from error


def _opened(content: bytes) -> Image.Image:
    if not content:
        raise ImageError(f"The file is empty (0 bytes). {WANTED}")
    if _is_heic(content):
        raise ImageError(f"HEIC and AVIF pictures are not supported. {WANTED}")
    try:
        with warnings.catch_warnings():
            # The limit below is ours and stricter than Pillow's warning.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError(_too_large("more pixels than any photograph")) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"This file is not a picture that can be read. {WANTED}") from error


def _is_heic(content: bytes) -> bool:
    brands = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif")
    return content[4:8] == b"ftyp" and content[8:12] in brands


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(_too_large(f"{width} x {height} pixels"))
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"The picture is {width} x {height} pixels; each side must have at least "
            f"{MIN_SIDE}. Choose a larger picture."
        )


def _too_large(came: str) -> str:
    return (
        f"The picture has {came}; at most {MAX_PIXELS // 1_000_000} million are read. "
        "Make it smaller and try again."
    )


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        return _eight_bits(picture).convert("RGB")
    if picture.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in picture.info:
        layers = picture.convert("RGBA")
        white = Image.new("RGBA", layers.size, "white")
        return Image.alpha_composite(white, layers).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    # Pillow clips wide integers at 255, which turns most 16-bit pictures white.
    values = np.asarray(picture, dtype=np.float64)
    scale = 65535 if picture.mode.startswith("I;16") or values.max() > 255 else 255
    if picture.mode == "F" and values.max() <= 1:
        scale = 1
    shades = np.nan_to_num(values / scale).clip(0, 1) * 255
    return Image.fromarray(shades.round().astype(np.uint8))

"""Reading pictures that come from anywhere: upright, RGB, eight bits, or one clear sentence."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vl_core.errors import ImageError

MAX_PIXELS = 50_000_000  # a 48-megapixel phone picture passes; it takes 150 MB as RGB
MIN_SIDE = 16
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif")
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
        return _rgb(_upright(picture))
    except Exception as error:
        # Pillow's readers raise whatever a damaged file makes them stumble over.
        raise ImageError(f"The picture is damaged or cut short. {WANTED}") from error


def _content(source: bytes | str | Path) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except (OSError, ValueError) as error:
        raise ImageError(f"The picture {source} cannot be read ({error}).") from error


def _upright(picture: Image.Image) -> Image.Image:
    """The picture turned as its EXIF entry says; one that cannot be read says nothing."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001 a damaged entry, in as many ways as there are readers
        return picture


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
    except Exception as error:
        raise ImageError(f"This file is not a picture that can be read. {WANTED}") from error


def _is_heic(content: bytes) -> bool:
    return content[4:8] == b"ftyp" and content[8:12] in HEIC_BRANDS


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
        layer = picture.convert("RGBA")
        white = Image.new("RGB", layer.size, "white")
        white.paste(layer, mask=layer.getchannel("A"))
        return white
    return picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    # Pillow clips wide numbers at 255, which turns most 16-bit pictures white.
    values = np.nan_to_num(np.asarray(picture, np.float32))
    shades = (values * (255 / _white(picture.mode, float(values.max())))).clip(0, 255)
    return Image.fromarray(shades.round().astype(np.uint8))


def _white(mode: str, highest: float) -> float:
    """The value that stands for white; 32-bit files do not say it, so their values have to."""
    if mode.startswith("I;16"):
        return 65535
    usual = (1, 255, 65535) if mode == "F" else (255, 65535)
    return next((white for white in usual if highest <= white), highest)

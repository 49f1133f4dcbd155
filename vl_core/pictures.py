"""Reading pictures that come from anywhere: upright, RGB, eight bits, or one clear sentence."""

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from PIL import Image, ImageOps

from vl_core.errors import ImageError

# A 24-megapixel photograph passes. It takes 100 MB, and 200 to 300 MB while it is read, beside all
# that a server holds already; Pillow's reader of WebP files takes twice as much for a pixel.
MAX_PIXELS = 25_000_000
MAX_WEBP_PIXELS = 15_000_000
MIN_SIDE = 16
# Models that enlarge the shorter side first would make gigabytes of a strip.
MAX_ASPECT = 250
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif")
WANTED = "Save it as JPEG or PNG and try again."
BAND = 2**19  # pixels that are converted at a time
_reading = threading.Lock()  # two visitors' large pictures must not be in the making at once

Box = tuple[int, int, int, int]
Source = Image.Image | np.ndarray | bytes | str | Path
Conversion = Callable[[Image.Image], Image.Image]


def read_picture(source: Source) -> Image.Image:
    """The picture as upright RGB with eight bits a channel, in its own size.

    source: a PIL picture, an array of height x width x 3 numbers from 0 to 255 (uint8), the bytes
    of a file, or its path.
    Animations give their first frame, transparency is laid on white, 16-bit values are scaled to
    eight bits, EXIF rotation is applied. One picture is read at a time; others wait. Raises
    ImageError with what came, what was wanted and what to do.
    """
    with _reading:
        picture = _picture(source)
        _check_size(picture.size, picture.format)
        try:
            picture.seek(0)
            frame = picture.copy() if picture is source else picture
            frame.load()
            _turn_upright(frame)
            return _rgb(frame)
        except Exception as error:
            # Pillow's readers raise whatever a damaged file makes them stumble over.
            raise ImageError(f"The picture is damaged or cut short. {WANTED}") from error


def _picture(source: Source) -> Image.Image:
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, np.ndarray):
        return _of_array(source)
    if isinstance(source, bytes | str | Path):
        return _opened(_content(source))
    raise ImageError(
        f"A picture came as {type(source).__name__}. Give a PIL picture, an array of height x "
        "width x 3 (uint8), the path or the bytes of a file, or None for text alone."
    )


def _of_array(pixels: np.ndarray) -> Image.Image:
    """The picture of an array; what its numbers mean is only plain of one kind."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ImageError(
            f"A picture came as an array of {' x '.join(map(str, pixels.shape)) or 'no'} numbers "
            f"({pixels.dtype}). Wanted: height x width x 3, whole numbers from 0 to 255 (uint8), "
            "colors in the order red, green, blue."
        )
    return Image.fromarray(pixels)


def _content(source: bytes | str | Path) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except (OSError, ValueError) as error:
        raise ImageError(f"The picture {source} cannot be read ({error}).") from error


def _turn_upright(picture: Image.Image) -> None:
    """Turn the picture as its EXIF entry says; one that cannot be read says nothing."""
    with suppress(Exception):  # a damaged entry raises in as many ways as there are readers
        ImageOps.exif_transpose(picture, in_place=True)


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


def _check_size(size: tuple[int, int], file_format: str | None) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(_too_large(f"{width} x {height} pixels"))
    if file_format == "WEBP" and width * height > MAX_WEBP_PIXELS:
        raise ImageError(
            f"The picture has {width} x {height} pixels; of a WebP file at most "
            f"{MAX_WEBP_PIXELS // 1_000_000} million are read. {WANTED}"
        )
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"The picture is {width} x {height} pixels; each side must have at least "
            f"{MIN_SIDE}. Choose a larger picture."
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(
            f"The picture is {width} x {height} pixels; its longer side may be at most "
            f"{MAX_ASPECT} times its shorter one. Crop it."
        )


def _too_large(came: str) -> str:
    return (
        f"The picture has {came}; at most {MAX_PIXELS // 1_000_000} million are read. "
        "Make it smaller, such as 6000 x 4000, and try again."
    )


def _rgb(picture: Image.Image) -> Image.Image:
    """Converted band by band: whole copies in between would take as much memory again."""
    convert = _conversion(picture)
    converted = Image.new("RGB", picture.size)
    for box in _bands(picture.size):
        converted.paste(convert(picture.crop(box)), box)
    return converted


def _bands(size: tuple[int, int]) -> Iterator[Box]:
    """Boxes of some rows each that cover a picture from top to bottom."""
    width, height = size
    n_rows = max(1, BAND // width)
    for top in range(0, height, n_rows):
        yield 0, top, width, min(top + n_rows, height)


def _conversion(picture: Image.Image) -> Conversion:
    """What makes RGB of any part of the picture."""
    if picture.mode.startswith(("I", "F")):
        highest = max(_values(picture.crop(box)).max() for box in _bands(picture.size))
        return partial(_eight_bits, white=_white(picture.mode, float(highest)))
    if picture.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in picture.info:
        return _on_white
    return lambda part: part.convert("RGB")


def _on_white(picture: Image.Image) -> Image.Image:
    layer = picture.convert("RGBA")
    white = Image.new("RGB", layer.size, "white")
    white.paste(layer, mask=layer.getchannel("A"))
    return white


def _eight_bits(picture: Image.Image, white: float) -> Image.Image:
    # Pillow clips wide numbers at 255, which turns most 16-bit pictures white.
    shades = (_values(picture) * (255 / white)).clip(0, 255)
    return Image.fromarray(shades.round().astype(np.uint8)).convert("RGB")


def _values(picture: Image.Image) -> Float32[np.ndarray, "row column"]:
    """Wide numbers as they are; what is no number counts as zero."""
    return np.nan_to_num(np.asarray(picture, np.float32))


def _white(mode: str, highest: float) -> float:
    """The value that stands for white; 32-bit files do not say it, so their values have to."""
    if mode.startswith("I;16"):
        return 65535
    usual = (1, 255, 65535) if mode == "F" else (255, 65535)
    return next((white for white in usual if highest <= white), highest)

"""What a model is asked: a picture (or none), a text, and what belongs to them."""

import math
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from vl_core.detections import Detections
from vl_core.errors import ImageError, TextError
from vl_core.pictures import read_picture

# A hundredth of a pixel covers the rounding of boxes that end at the picture's edge.
EDGE = 0.01

ImageSource = Image.Image | bytes | str | Path


@dataclass(frozen=True)
class Region:
    """A place in the picture that is known beforehand, such as an object's box.

    box: left, top, right, bottom in pixels of the upright picture.
    span: first character and one past the last of the words in the text that name it, or None.
    is_asked: whether the text asks about this place, and does not only mention it to find another.
    """

    label: str
    box: tuple[float, float, float, float]
    span: tuple[int, int] | None = None
    is_asked: bool = True


@dataclass(frozen=True, init=False)
class Example:
    """A picture and a text, ready for any model.

    image: a PIL picture, a path, the bytes of a file, or None for text alone. It is read at once
    and kept as upright RGB. text: kept as clean_text gives it. detections: what a detector found in
    the picture, for models that read that and no pixels. Raises ImageError for what is no readable
    picture or a region's box that is no place in it, and TextError for an empty text or for
    regions that name none of its words.
    """

    image: Image.Image | None
    text: str
    regions: tuple[Region, ...] = ()
    answer: str | None = None
    detections: Detections | None = None

    def __init__(
        self,
        image: ImageSource | None,
        text: str,
        regions: tuple[Region, ...] = (),
        answer: str | None = None,
        detections: Detections | None = None,
    ) -> None:
        object.__setattr__(self, "image", None if image is None else read_picture(image))
        object.__setattr__(self, "text", clean_text(text))
        _check_spans(text, self.text, regions)
        _check_boxes(self.size, regions)
        object.__setattr__(self, "regions", regions)
        object.__setattr__(self, "answer", answer)
        object.__setattr__(self, "detections", detections)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the picture in pixels, or None without one."""
        return None if self.image is None else self.image.size


def clean_text(text: str) -> str:
    """The text on one line without control characters, so that what is shown is what was read.

    Raises TextError if nothing readable is left.
    """
    spaced = "".join(" " if _is_control(character) else character for character in text)
    cleaned = " ".join(unicodedata.normalize("NFC", spaced).split())
    if all(unicodedata.category(character) in {"Cf", "Zs"} for character in cleaned):
        raise TextError("The question is empty. Type a question about the picture.")
    return cleaned


def _check_spans(given: str, text: str, regions: tuple[Region, ...]) -> None:
    """Cleaning moves characters, so spans are counted in a text that is clean already."""
    for region in regions:
        if region.span is None:
            continue
        start, end = region.span
        if not 0 <= start < end <= len(text):
            raise TextError(
                f"Region {region.label} is named by the characters {start} to {end} of a text of "
                f"{len(text)}. Count from 0, the end one past the last."
            )
        if given != text:
            raise TextError(
                f"Region {region.label} names characters of a text with line breaks, blanks or "
                "control characters that are taken out. Pass the text through clean_text first."
            )


def _check_boxes(size: tuple[int, int] | None, regions: tuple[Region, ...]) -> None:
    for region in regions:
        wrong = wrong_box(region, size)
        if wrong:
            raise ImageError(
                f"{wrong} Give left, top, right and bottom in pixels of the upright picture."
            )


def wrong_box(region: Region, size: tuple[int, int] | None) -> str:
    """What is wrong with the region's box in a picture of this width and height, or nothing."""
    box = f"Region {region.label} has the box {region.box}"
    if len(region.box) != 4 or not all(math.isfinite(edge) for edge in region.box):
        return f"{box}; four finite numbers are wanted."
    left, top, right, bottom = region.box
    if left >= right or top >= bottom:
        return f"{box}, which has no area."
    if size is None:
        return ""
    if min(left, top) < -EDGE or right > size[0] + EDGE or bottom > size[1] + EDGE:
        return f"{box}, which is not inside the picture of {size[0]} x {size[1]} pixels."
    return ""


def _is_control(character: str) -> bool:
    # Cc: control codes; Cs: halves of surrogate pairs that no encoder accepts. Format characters
    # (Cf) stay: emoji sequences and right-to-left text need them.
    return unicodedata.category(character) in {"Cc", "Cs"}

"""What a model is asked: a picture (or none), a text, and what belongs to them."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal, get_args

from PIL import Image

from vl_core.detections import Detections
from vl_core.errors import ImageError, TextError
from vl_core.pictures import Source, read_picture

# A hundredth of a pixel covers the rounding of boxes that end at the picture's edge.
EDGE = 0.01

Outline = tuple[tuple[float, float], ...]
Task = Literal["answer", "candidate", "source"]


@dataclass(frozen=True)
class Region:
    """A place in the picture that is known beforehand, such as an object's box.

    box: left, top, right, bottom in pixels of the upright picture.
    span: first character and one past the last of the words in the text that name it, or None.
    is_asked: whether the text asks about this place, and does not only mention it to find another.
    number: from 0, of an object that texts may call by its number, as VCR's do; else None. An
    object that a text names twice has two regions with this number, one that it does not name has
    one without a span. outlines: polygons around what can be seen of it, each at least three
    points (x, y) in pixels of the upright picture; none where only the box is known.
    """

    label: str
    box: tuple[float, float, float, float]
    span: tuple[int, int] | None = None
    is_asked: bool = True
    number: int | None = None
    outlines: tuple[Outline, ...] = ()


@dataclass(frozen=True, init=False)
class Example:
    """A picture and a text, ready for any model.

    image: a PIL picture, an array (height x width x 3, uint8), a path, the bytes of a file, or None
    for text alone. It is read at once and kept as upright RGB. text: kept as clean_text gives it.
    detections: what a detector found in the picture, for models that read that and no pixels. task:
    what is wanted of the model: an "answer" to the text; whether the last part of the text, a
    "candidate", fits the parts before it; whether the picture and the last part are a "source" of
    the answer to the first. breaks: where the second part of the text and those after it begin;
    `joined_parts` makes both. Raises ImageError for what is no readable picture or a region's box
    that is no place in it, and TextError for a text that is none or empty, for regions that name
    none of its words and for breaks that part it nowhere.
    """

    image: Image.Image | None
    text: str
    regions: tuple[Region, ...] = ()
    answer: str | None = None
    detections: Detections | None = None
    task: Task = "answer"
    breaks: tuple[int, ...] = ()

    def __init__(
        self,
        image: Source | None,
        text: str,
        regions: tuple[Region, ...] = (),
        answer: str | None = None,
        detections: Detections | None = None,
        *,
        task: Task = "answer",
        breaks: tuple[int, ...] = (),
    ) -> None:
        object.__setattr__(self, "image", None if image is None else read_picture(image))
        object.__setattr__(self, "text", clean_text(text))
        _check_spans(text, self.text, regions)
        _check_boxes(self.size, regions)
        object.__setattr__(self, "regions", regions)
        object.__setattr__(self, "answer", answer)
        object.__setattr__(self, "detections", detections)
        _check_parts(self.text, breaks, task)
        object.__setattr__(self, "task", task)
        object.__setattr__(self, "breaks", breaks)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the picture in pixels, or None without one."""
        return None if self.image is None else self.image.size

    @property
    def parts(self) -> tuple[str, ...]:
        """The text cut at its breaks: question and candidate, say, without the blanks between."""
        ends = (0, *self.breaks, len(self.text))
        return tuple(self.text[start:end].strip() for start, end in pairwise(ends))


def joined_parts(parts: Sequence[str]) -> tuple[str, tuple[int, ...]]:
    """The parts as one clean text with a blank between them, and where all but the first begin.

    Raises TextError if one of them has nothing readable in it.
    """
    cleaned = [clean_text(part) for part in parts]
    starts = accumulate(len(part) + 1 for part in cleaned[:-1])
    return " ".join(cleaned), tuple(starts)


def clean_text(text: str) -> str:
    """The text on one line without control characters, so that what is shown is what was read.

    Raises TextError if nothing readable is left, and for what is no text.
    """
    if not isinstance(text, str):
        raise TextError(
            f"The question came as {type(text).__name__}, which is no text. Give a string."
        )
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


def _check_parts(text: str, breaks: tuple[int, ...], task: Task) -> None:
    ends = (0, *breaks, len(text))
    is_empty = any(not text[start:end].strip() for start, end in pairwise(ends))
    if is_empty or list(ends) != sorted(ends):
        raise TextError(
            f"A text of {len(text)} characters is parted at {list(breaks)}, which leaves an empty "
            "part. joined_parts gives a text and where it is parted."
        )
    if task not in get_args(Task):
        raise TextError(f"The task {task!r} is none; there are {', '.join(get_args(Task))}.")
    if task != "answer" and not breaks:
        raise TextError(
            f"A text in one part came, to be judged as a {task}. Give the question and what is "
            "judged as two parts; joined_parts puts them together."
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

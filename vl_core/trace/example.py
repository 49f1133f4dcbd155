"""The example as a trace keeps it: enough to draw everything after loading."""

from dataclasses import dataclass

from PIL import Image

from vl_core.errors import TraceError
from vl_core.example import Example, Region, Task

DISPLAY_SIDE = 768  # pixels: sharp on a page, small in a file


@dataclass(frozen=True)
class TracedExample:
    """What the model was asked.

    image: the picture as the model saw it. picture: the original for display, at most 768 pixels
    on its longer side. original_size: width and height of the original in pixels, the unit of all
    boxes. All three are None without a picture. answer: the right answer where it is known. task,
    breaks: as in Example.
    """

    text: str
    image: Image.Image | None = None
    picture: Image.Image | None = None
    original_size: tuple[int, int] | None = None
    regions: tuple[Region, ...] = ()
    answer: str | None = None
    task: Task = "answer"
    breaks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        has = [part is not None for part in (self.image, self.picture, self.original_size)]
        if any(has) and not all(has):
            raise TraceError(
                "an example with only some of the picture as seen, for display, and its size; "
                "all three are wanted, or none"
            )
        if self.original_size is not None and min(self.original_size) < 1:
            raise TraceError(f"a picture of {self.original_size} pixels; at least 1 x 1 is wanted")

    @classmethod
    def of(cls, example: Example, image: Image.Image | None) -> "TracedExample":
        """The example, with its picture reduced for display and beside it what the model saw."""
        picture = None if example.image is None else _for_display(example.image)
        return cls(
            example.text,
            image,
            picture,
            example.size,
            example.regions,
            example.answer,
            example.task,
            example.breaks,
        )


def _for_display(picture: Image.Image) -> Image.Image:
    """A copy that is small enough, without a full copy of a large picture on the way."""
    scale = DISPLAY_SIDE / max(picture.size)
    if scale >= 1:
        return picture.copy()
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)

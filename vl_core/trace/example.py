"""The example as a trace keeps it: enough to draw everything after loading."""

from dataclasses import dataclass

from PIL import Image

from vl_core.example import Example, Region

DISPLAY_SIDE = 768  # pixels: sharp on a page, small in a file


@dataclass(frozen=True)
class TracedExample:
    """What the model was asked.

    image: the picture as the model saw it. picture: the original for display, at most 768 pixels
    on its longer side. original_size: width and height of the original in pixels, the unit of all
    boxes. All three are None without a picture. answer: the right answer where it is known.
    """

    text: str
    image: Image.Image | None = None
    picture: Image.Image | None = None
    original_size: tuple[int, int] | None = None
    regions: tuple[Region, ...] = ()
    answer: str | None = None

    @classmethod
    def of(cls, example: Example, image: Image.Image | None) -> "TracedExample":
        """The example, with its picture reduced for display and beside it what the model saw."""
        picture = None
        if example.image is not None:
            picture = example.image.copy()
            picture.thumbnail((DISPLAY_SIDE, DISPLAY_SIDE))
        return cls(example.text, image, picture, example.size, example.regions, example.answer)

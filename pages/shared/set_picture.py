"""Pictures of data sets: with boxes and outlines around what the set names, and small ones."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from PIL import Image

from pages.shared import session, sets
from pages.shared.sets import Place
from vl_core.example import Outline, Region

SIDE = 640  # pixels, the most that a picture is wide
HIGHEST = 360  # pixels on a page, so that the candidates below are seen with the picture
SMALL = 320  # pixels of a small picture: twice what is shown, sharp on dense screens
FONT = 15  # pixels
NARROW = "[](){}|!.,:;' ijlI1"
# Told apart from each other, light enough for dark letters.
COLORS = (
    *("#4fc3f7", "#ffb74d", "#81c784", "#f06292", "#ffd54f", "#b39ddb"),
    *("#4dd0e1", "#ff8a65", "#dce775", "#e57373"),
)


@dataclass(frozen=True)
class Whole:
    """An item's picture as SVG, how wide it is shown in pixels, and what its boxes are called."""

    svg: str
    width: int
    names: tuple[str, ...]


def thumbnail(name: str, place: Place) -> bytes | None:
    """A small JPEG of an option's picture, None for a text without one.

    Raises VLError where it cannot be read.
    """

    def made() -> bytes | None:
        picture = sets.option(name, place).example().image
        return None if picture is None else _jpeg(picture, SMALL)

    return session.preview(("small", name, place), made)


def whole(name: str, place: Place) -> Whole | None:
    """The picture of what is asked of an item with all its boxes; None where there is none.

    Raises VLError where it cannot be read.
    """

    def made() -> Whole | None:
        example = sets.option(name, place).example()
        if example.image is None:
            return None
        labels = dict.fromkeys(region.label for region in example.regions)
        width, height = example.image.size
        shown = min(SIDE, round(HIGHEST * width / height))
        return Whole(boxed(example.image, example.regions), shown, tuple(labels))

    return session.preview(("whole", name, place), made)


def boxed(picture: Image.Image, regions: Sequence[Region]) -> str:
    """The picture as SVG, each region in a color of its own with its name.

    A region that a text names several times is drawn once.
    """
    scale = HIGHEST / picture.height  # what is drawn over it has the same size on any picture
    width, height = (side * scale for side in picture.size)
    different = {(one.label, one.box): one for one in regions}.values()
    marks = [
        _marked(one, scale, COLORS[place % len(COLORS)]) for place, one in enumerate(different)
    ]
    names = [
        _named(one, scale, COLORS[place % len(COLORS)], width)
        for place, one in enumerate(different)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.1f} {height:.1f}" '
        f'width="{width:.0f}" height="{height:.0f}">'
        f'<image href="{_data_url(picture)}" width="{width:.1f}" height="{height:.1f}"/>'
        f"{''.join(marks + names)}</svg>"
    )


def _marked(region: Region, scale: float, color: str) -> str:
    left, top, right, bottom = (edge * scale for edge in region.box)
    outlines = "".join(
        f'<polygon points="{_points(one, scale)}" fill="{color}" fill-opacity="0.25" '
        f'stroke="{color}" stroke-width="1.5"/>'
        for one in region.outlines
    )
    where = f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"'
    line = f'<rect {where} fill="none" stroke="{color}" stroke-width="2"/>'
    edge = f'<rect {where} fill="none" stroke="#111827" stroke-opacity="0.7" stroke-width="4"/>'
    return edge + line + outlines


def _named(region: Region, scale: float, color: str, most: float) -> str:
    """The name on its color, above the box or inside it where there is no room."""
    name = "".join(filter(str.isprintable, region.label))
    width, height = _width(name), FONT + 4
    left = max(min(region.box[0] * scale - 1, most - width - 8), 0)
    top = region.box[1] * scale
    edge = top - height if top >= height else top
    # Told how long it is, as nobody knows which font a browser takes.
    return (
        f'<rect x="{left:.1f}" y="{edge:.1f}" width="{width + 8:.1f}" height="{height}" rx="2" '
        f'fill="{color}"/><text x="{left + 4:.1f}" y="{edge + FONT - 1:.1f}" fill="#111827" '
        f'font-family="sans-serif" font-size="{FONT}" font-weight="600" textLength="{width:.1f}" '
        f'lengthAdjust="spacingAndGlyphs">{html.escape(name)}</text>'
    )


def _width(name: str) -> float:
    """About how wide a name is: letters of East Asia are as wide as high, brackets narrow."""
    wide = sum(east_asian_width(one) in "WF" for one in name)
    narrow = sum(one in NARROW for one in name)
    return FONT * (wide + 0.34 * narrow + 0.58 * (len(name) - wide - narrow))


def _points(outline: Outline, scale: float) -> str:
    return " ".join(f"{x * scale:.1f},{y * scale:.1f}" for x, y in outline)


def _data_url(picture: Image.Image) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(_jpeg(picture, SIDE * 3 // 2)).decode()


def _jpeg(picture: Image.Image, side: int) -> bytes:
    reduced = picture.copy()
    reduced.thumbnail((side, side))
    content = io.BytesIO()
    reduced.save(content, "JPEG", quality=92)
    return content.getvalue()

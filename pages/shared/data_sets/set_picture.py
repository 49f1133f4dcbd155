"""Pictures of data sets: with boxes and outlines around what the set names, and small ones."""

import base64
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from PIL import Image

from pages.shared import session
from pages.shared.data_sets import sets
from pages.shared.data_sets.sets import Place
from vl_core.example import Outline, Region

LARGEST = 960  # pixels of a side of what is sent: twice what is shown, sharp on dense screens
HIGHEST = 360  # pixels on a page of a picture with the candidates beside it
BESIDE = 316  # ... and the most that it is wide there
BROADEST = 1.5  # width for a height of 1; what is broader stands above the candidates
WIDEST = 646  # pixels of such a picture
LOWER = 260  # ... which is lower, so that the candidates below are seen with it
CARD = (240, 180)  # pixels in which a source's picture stands, whatever its shape
SIDEBAR = (240, 300)  # pixels, the most in the sidebar
FONT, SMALL_FONT = 15, 12  # pixels
ROOMY = 280  # pixels of width that the larger letters need
NARROW = "[](){}|!.,:;' ijlI1"
# Told apart from each other, light enough for dark letters.
COLORS = (
    *("#4fc3f7", "#ffb74d", "#81c784", "#f06292", "#ffd54f", "#b39ddb"),
    *("#4dd0e1", "#ff8a65", "#dce775", "#e57373"),
)


@dataclass(frozen=True)
class Drawn:
    """A picture with its boxes as SVG, how wide it is shown in pixels, what its boxes are called.

    is_broad: whether it is so broad that nothing has room beside it. left_out: a sentence on each
    box that is no place in the picture.
    """

    svg: str
    width: int
    names: tuple[str, ...]
    is_broad: bool
    left_out: tuple[str, ...]


def card(name: str, place: Place) -> str | None:
    """An option's picture in the middle of a card, as SVG; None for a text without one.

    Raises VLError where it cannot be read.
    """

    def made() -> str | None:
        picture = sets.option(name, place).example().image
        return None if picture is None else _in_card(picture)

    return session.preview(("card", name, place), made)


def whole(name: str, place: Place) -> Drawn | None:
    """The picture of what is asked of an item with all its boxes; None where there is none.

    Raises VLError where it cannot be read.
    """

    def room(picture: Image.Image) -> tuple[int, int]:
        is_broad = picture.width > BROADEST * picture.height
        return (WIDEST, LOWER) if is_broad else (BESIDE, HIGHEST)

    return session.preview(("whole", name, place), lambda: _drawn(name, place, room))


def preview(name: str, place: Place) -> Drawn | None:
    """The same for the sidebar."""
    return session.preview(("sidebar", name, place), lambda: _drawn(name, place, lambda _: SIDEBAR))


def _drawn(name: str, place: Place, room: Callable[[Image.Image], tuple[int, int]]) -> Drawn | None:
    """An option's picture with its boxes, as large as it fits into the room that there is for it.

    room: width and height.
    """
    option = sets.option(name, place)
    example = option.example()
    picture = example.image
    if picture is None:
        return None
    most_wide, most_high = room(picture)
    aspect = picture.width / picture.height
    width = max(1, min(most_wide, round(most_high * aspect)))
    return Drawn(
        boxed(picture, picture.size, example.regions, width),
        width,
        tuple(dict.fromkeys(region.label for region in example.regions)),
        is_broad=aspect > BROADEST,
        left_out=tuple(option.left_out(example)),
    )


def boxed(
    picture: Image.Image, size: tuple[int, int], regions: Sequence[Region], width: int
) -> str:
    """The picture as SVG, each region in a color of its own with its name.

    size: width and height that the regions are counted in, those of the original. width: as the
    drawing is shown, in pixels, so that names are written in the same size on any picture. A region
    that a text names several times is drawn once.
    """
    scale = width / size[0]
    height = size[1] * scale
    different = {(one.label, one.box): one for one in regions}.values()
    marks = [
        _marked(one, scale, COLORS[place % len(COLORS)]) for place, one in enumerate(different)
    ]
    names = [
        _named(one, scale, COLORS[place % len(COLORS)], width)
        for place, one in enumerate(different)
    ]
    return _svg(
        (width, height),
        f'<image href="{_data_url(picture, 2 * max(width, height))}" width="{width}" '
        f'height="{height:.1f}"/>{"".join(marks + names)}',
    )


def _in_card(picture: Image.Image) -> str:
    """Whole and in the middle, on a ground that goes with light and dark pages."""
    width, height = CARD
    return _svg(
        CARD,
        f'<rect width="{width}" height="{height}" fill="#808080" fill-opacity="0.12"/>'
        f'<image href="{_data_url(picture, 2 * width)}" width="{width}" height="{height}"/>',
    )


def _svg(size: tuple[float, float], content: str) -> str:
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.1f} {height:.1f}" '
        f'width="{width:.0f}" height="{height:.0f}">{content}</svg>'
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
    font = FONT if most >= ROOMY else SMALL_FONT
    name = _fitting("".join(filter(str.isprintable, region.label)), (most - 8) / font)
    width, height = font * _width(name), font + 4
    left = max(min(region.box[0] * scale - 1, most - width - 8), 0)
    top = region.box[1] * scale
    edge = top - height if top >= height else top
    # Told how long it is, as nobody knows which font a browser takes.
    return (
        f'<rect x="{left:.1f}" y="{edge:.1f}" width="{width + 8:.1f}" height="{height}" rx="2" '
        f'fill="{color}"/><text x="{left + 4:.1f}" y="{edge + font - 1:.1f}" fill="#111827" '
        f'font-family="sans-serif" font-size="{font}" font-weight="600" textLength="{width:.1f}" '
        f'lengthAdjust="spacingAndGlyphs">{html.escape(name)}</text>'
    )


def _fitting(name: str, most: float) -> str:
    """As much of the name as is at most so wide, with an ellipsis where some is left out."""
    if _width(name) <= most:
        return name
    ends = range(len(name) - 1, 0, -1)
    shorter = (name[:end].rstrip() + "…" for end in ends)
    return next((one for one in shorter if _width(one) <= most), "…")


def _width(name: str) -> float:
    """About how wide a name is, in heights of its letters.

    Letters of East Asia are as wide as high, brackets narrow.
    """
    wide = sum(east_asian_width(one) in "WF" for one in name)
    narrow = sum(one in NARROW for one in name)
    return wide + 0.34 * narrow + 0.58 * (len(name) - wide - narrow)


def _points(outline: Outline, scale: float) -> str:
    return " ".join(f"{x * scale:.1f},{y * scale:.1f}" for x, y in outline)


def _data_url(picture: Image.Image, side: float) -> str:
    """A JPEG of the picture, at most so many pixels on its longer side."""
    most = min(LARGEST, round(side))
    reduced = picture.copy()
    reduced.thumbnail((most, most))
    content = io.BytesIO()
    reduced.save(content, "JPEG", quality=92)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()

"""The picture of an item with its boxes is a drawing that any browser can show."""

import base64
import io
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from pages.shared import session
from pages.shared.data_sets import set_picture, sets
from pages.shared.data_sets.set_picture import BESIDE, COLORS, HIGHEST, LOWER, WIDEST, boxed
from pages.shared.data_sets.sets import FIRST
from pages.shared.memo import Memo
from tests.builders import random_picture
from vl_core.datasets import Option
from vl_core.example import Example, Region

SVG = "{http://www.w3.org/2000/svg}"
SIZE = (200, 120)
WIDTH = 500  # as it is shown
SCALE = WIDTH / SIZE[0]


def drawing(*regions, picture=SIZE, size=SIZE, width=WIDTH):
    """The drawing's elements."""
    return elements(boxed(random_picture(picture), size, regions, width))


def elements(svg):
    """What a drawing consists of."""
    return ET.fromstring(svg)  # noqa: S314 our own


def shown_size(found):
    """Width and height of a drawing, in its own units."""
    return tuple(map(float, found.get("viewBox").split()[2:]))


@pytest.fixture
def of_set(monkeypatch):
    """Lets the only item of a set be an example with a picture of this size and these regions."""

    def put(size, *regions):
        example = Example(random_picture(size), "what is it?", regions)
        option = Option("0", "what is it?", lambda: example)
        monkeypatch.setattr(sets, "option", lambda *_: option)
        previews = Memo(8)
        monkeypatch.setattr(session, "_previews", lambda: previews)

    return put


def edges(element):
    """Left, top, right, bottom of a rectangle, in pixels of the picture."""
    left, top, width, height = (float(element.get(n)) for n in ("x", "y", "width", "height"))
    return np.array([left, top, left + width, top + height]) / SCALE


def test_boxes_and_outlines_lie_where_they_lie_in_the_picture():
    """In the same colors, each region one of its own."""
    outline = ((12.0, 20.0), (60.0, 22.5), (50.0, 90.0))
    found = drawing(
        Region("[1]", (10, 20, 90, 100), outlines=(outline,)), Region("[2]", (100, 5, 190, 110))
    )

    boxes = [one for one in found.iter(f"{SVG}rect") if one.get("stroke") in COLORS]
    assert [one.get("stroke") for one in boxes] == list(COLORS[:2])
    assert edges(boxes[0]) == pytest.approx([10, 20, 90, 100], abs=0.1)
    assert edges(boxes[1]) == pytest.approx([100, 5, 190, 110], abs=0.1)
    [polygon] = found.iter(f"{SVG}polygon")
    points = [tuple(map(float, one.split(","))) for one in polygon.get("points").split()]
    assert np.array(points) / SCALE == pytest.approx(np.array(outline), abs=0.1)
    assert polygon.get("fill") == COLORS[0]


def test_what_a_text_names_twice_is_drawn_once():
    """Each mention has a region of its own."""
    found = drawing(Region("[1]", (10, 20, 90, 100), (0, 3)), Region("[1]", (10, 20, 90, 100)))

    assert [one.text for one in found.iter(f"{SVG}text")] == ["[1]"]


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "a & b", "塔\x00\ufffe", '"x"'])
def test_no_name_can_break_the_drawing(label):
    """Names come out of files that anyone may have written."""
    [text] = drawing(Region(label, (10, 20, 90, 100))).iter(f"{SVG}text")

    assert text.text == "".join(filter(str.isprintable, label))


@pytest.mark.parametrize("box", [(0, 0, 30, 40), (150, 0, 200, 30), (180, 80, 200, 120)])
def test_names_stay_inside_the_picture(box):
    """Also of boxes at its edges."""
    found = drawing(Region("the third person", box))

    [label] = [one for one in found.iter(f"{SVG}rect") if one.get("fill") in COLORS]
    left, top, right, bottom = edges(label)
    assert left >= 0
    assert top >= 0
    assert right <= SIZE[0] + 0.1
    assert bottom <= SIZE[1] + 0.1


def test_the_picture_itself_is_in_the_drawing():
    """With its own shape; a small one in its own pixels."""
    found = drawing()

    content = found.find(f"{SVG}image").get("href").partition(",")[2]
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == SIZE
    _, _, width, height = map(float, found.get("viewBox").split())
    assert width / height == pytest.approx(SIZE[0] / SIZE[1], rel=1e-3)


def test_boxes_are_counted_in_pixels_of_the_original():
    """Also on a picture that was reduced for display."""
    found = drawing(Region("[1]", (10, 20, 90, 100)), picture=(50, 30))

    [box] = [one for one in found.iter(f"{SVG}rect") if one.get("stroke") in COLORS]
    assert edges(box) == pytest.approx([10, 20, 90, 100], abs=0.1)


@pytest.mark.parametrize(
    ("size", "room"),
    [
        ((1600, 300), (WIDEST, LOWER)),
        ((300, 190), (WIDEST, LOWER)),
        ((300, 210), (BESIDE, HIGHEST)),
        ((400, 1200), (BESIDE, HIGHEST)),
    ],
)
def test_a_picture_fits_its_room_and_is_drawn_in_the_pixels_it_takes(of_set, size, room):
    """A broad one stands above the candidates, another one beside them; names keep their size."""
    of_set(size, Region("dog", (10, 20, 90, 100)))

    found = set_picture.whole("listed", FIRST)

    width, height = shown_size(elements(found.svg))
    assert width == found.width
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)
    assert width <= room[0]
    assert height <= room[1] + 1
    assert width == room[0] or height >= room[1] - 2
    assert found.is_broad == (room[0] == WIDEST)
    assert found.names == ("dog",)
    [text] = elements(found.svg).iter(f"{SVG}text")
    assert text.get("font-size") == ("15" if width >= 280 else "12")


@pytest.mark.parametrize("label", ["a very long label of a ball", "狗在球的左边吗在球的左边吗"])
def test_a_name_that_has_no_room_ends_in_an_ellipsis(label):
    """As much of it as there is room for."""
    found = drawing(Region(label, (10, 20, 90, 100)), width=110)

    [text] = found.iter(f"{SVG}text")
    start = text.text.removesuffix("…").rstrip()
    assert text.text.endswith("…")
    assert label.startswith(start)
    assert 3 < len(start) < len(label)
    left, length = float(text.get("x")), float(text.get("textLength"))
    assert left >= 0
    assert 80 < left + length <= 110


def test_a_name_that_has_room_is_written_whole():
    """Without an ellipsis."""
    [text] = drawing(Region("a very long label of a ball", (10, 20, 90, 100))).iter(f"{SVG}text")

    assert text.text == "a very long label of a ball"


@pytest.mark.parametrize("size", [(300, 40), (100, 100), (50, 210)])
def test_pictures_of_sources_take_the_same_room_and_are_not_squeezed(of_set, size):
    """Whatever their shape, so that cards beside each other are alike."""
    of_set(size)

    found = elements(set_picture.card("listed", FIRST))

    assert shown_size(found) == set_picture.CARD
    image = found.find(f"{SVG}image")
    assert (
        image.get("preserveAspectRatio") is None
    )  # whole and in the middle, unless told otherwise
    content = image.get("href").partition(",")[2]
    width, height = Image.open(io.BytesIO(base64.b64decode(content))).size
    assert width / height == pytest.approx(size[0] / size[1], rel=0.03)


def test_the_sidebar_shows_the_boxes_too(of_set):
    """In the room that it has."""
    of_set((100, 300), Region("[2]", (10, 20, 90, 100)))

    found = set_picture.preview("listed", FIRST)

    assert [one.text for one in elements(found.svg).iter(f"{SVG}text")] == ["[2]"]
    assert found.width == round(set_picture.SIDEBAR[1] / 3)

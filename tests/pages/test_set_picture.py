"""The picture of an item with its boxes is a drawing that any browser can show."""

import base64
import io
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from pages.shared.set_picture import COLORS, HIGHEST, boxed
from tests.builders import random_picture
from vl_core.example import Region

SVG = "{http://www.w3.org/2000/svg}"
SIZE = (200, 120)
SCALE = HIGHEST / SIZE[1]


def drawing(*regions):
    """The drawing's elements."""
    return ET.fromstring(boxed(random_picture(SIZE), regions))  # noqa: S314 our own


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

"""The head map, alone on a page: its cells, pointer, keyboard, and talk with Python."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from pages.shared.head_numbers import decimals
from pages.shared.measured import written
from tests.browser import ROOT, complaints, served, settled
from tests.pages import head_map_alone as alone
from vl_core.figures.color_scale import sequential

pytestmark = pytest.mark.browser
VIRIDIS_ENDS = ["rgb(68, 1, 84)", "rgb(253, 231, 37)"]
COLOR = "cell => getComputedStyle(cell).backgroundColor"


@pytest.fixture(scope="module")
def url():
    """One server for all tests of this file."""
    with served(Path(alone.__file__), PYTHONPATH=str(ROOT)) as server:
        yield server.url


@pytest.fixture
def page(context, url):
    """The page, freshly opened; no error may have been thrown when the test is over."""
    opened = context.new_page()
    found = complaints(opened)
    opened.goto(url)
    expect(cells(opened)).to_have_count(alone.LAYERS * (alone.HEADS + 1))
    settled(opened)
    yield opened
    opened.close()
    assert found == []


def cells(page: Page) -> Locator:
    """All cells, the layers' means among them."""
    return page.get_by_role("gridcell")


def cell(page: Page, name: str) -> Locator:
    """The cell that a screen reader calls by this name."""
    return page.get_by_role("gridcell", name=name)


def test_each_cell_says_where_it_is_and_what_it_shows(page):
    """Layers and heads count from 1; the column of means has a name of its own."""
    expect(cell(page, "Layer 3, head 5: 1.00")).to_have_count(1)
    expect(cell(page, "Layer 2, head 3: 0.50")).to_have_text("0.50")
    expect(cell(page, "Layer 2, mean of its heads: 0.50")).to_have_count(1)


def test_the_colors_run_from_the_lowest_value_to_the_highest(page):
    """The ends of the color scale are the ends of the values, as in the exported figure."""
    ends = [cell(page, name).evaluate(COLOR) for name in ("Layer 1, head 1:", "Layer 3, head 5:")]

    assert ends == VIRIDIS_ENDS


def test_a_missing_value_is_hatched_and_has_no_color(page):
    """What is missing must not look like a low value."""
    missing = cell(page, "Layer 1, head 2: missing")

    assert missing.evaluate(COLOR) == "rgba(0, 0, 0, 0)"
    assert "gradient" in missing.evaluate("cell => getComputedStyle(cell).backgroundImage")
    expect(missing).to_have_text("")


def test_text_is_shown_as_it_is(page):
    """A statistic's name is a user's text: markup in it stays text."""
    expect(page.locator(".title")).to_have_text("Mass <b>")


def test_pointing_shows_name_value_and_hints(page):
    """The value with one more decimal than the cell, in its own unit, rank, note, pattern.

    Numbers are written as Python writes them.
    """
    cell(page, "Layer 2, head 4").hover()

    value = alone.values()[1, 3]
    assert written(value, 3) == "0.571"
    expect(page.locator(".tip div")).to_have_text(
        [
            "Layer 2, head 4",
            f"{written(value, decimals(sequential(alone.values())))} share of attention",
            f"{written(100 * value)} %",
            "rank 7 of 14",
            f"even, {written(-value / 1e3)} below {written(1e4 * value)}",
            "third",
        ]
    )


@pytest.mark.parametrize(("layer", "head", "rank"), [(0, 1, 1), (2, 5, 6), (2, 2, 12)])
def test_differences_are_ranked_by_how_far_they_are_from_none(page, url, layer, head, rank):
    """The greatest fall is the first of all, the greatest rise the sixth."""
    page.goto(f"{url}/?differences")
    sizes = np.abs(alone.values() - alone.DIFFERENCES)
    assert rank == 1 + int((sizes > sizes[layer, head - 1]).sum())

    cell(page, f"Layer {layer + 1}, head {head}:").hover()

    expect(page.locator(".tip")).to_contain_text(f"rank {rank} of 14, the largest on either side")


def test_a_missing_head_has_a_pattern_and_no_rank(page):
    """What has no value has no place among the others."""
    cell(page, "Layer 1, head 2").hover()

    expect(page.locator(".tip div")).to_have_text(
        ["Layer 1, head 2", "missing share of attention", "second"]
    )


def test_a_click_marks_the_cell_and_tells_python(page):
    """Exactly the clicked cell is selected, and Python counts from 0."""
    cell(page, "Layer 3, head 1").click()

    expect(page.locator("[aria-selected=true]")).to_have_count(1)
    expect(cell(page, "Layer 3, head 1")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("heard (2, 0), 1 times")).to_be_visible()


def test_a_layer_mean_stands_for_all_its_heads(page):
    """Choosing a mean selects the layer without a head."""
    cell(page, "Layer 1, mean").click()

    expect(page.get_by_text("heard (0, None), 1 times")).to_be_visible()


def test_what_python_chooses_is_marked_and_can_be_left_again(page):
    """Choosing the same cell before and after counts twice."""
    cell(page, "Layer 3, head 1").click()
    expect(page.get_by_text("heard (2, 0), 1 times")).to_be_visible()

    page.get_by_role("button", name="Python chooses").click()
    expect(cell(page, "Layer 1, head 1")).to_have_attribute("aria-selected", "true")

    cell(page, "Layer 3, head 1").click()
    expect(page.get_by_text("heard (2, 0), 3 times")).to_be_visible()


def test_the_keyboard_reaches_every_cell(page):
    """Tab enters at the selected cell, arrows move and stop at the edges, Enter selects."""
    reachable = page.locator(".cell[tabindex='0']")
    expect(reachable).to_have_count(1)
    page.get_by_role("button", name="Save the map").focus()

    page.keyboard.press("Tab")
    expect(cell(page, "Layer 2, head 3")).to_be_focused()
    for key in ["ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"]:
        page.keyboard.press(key)
    expect(cell(page, "Layer 3, mean")).to_be_focused()
    expect(page.locator(".tip div").first).to_have_text("Layer 3, mean of its heads")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")

    expect(page.get_by_text("heard (1, 0), 1 times")).to_be_visible()
    expect(reachable).to_have_count(1)


@pytest.mark.parametrize("modifier", ["Alt", "Control", "Meta"])
def test_shortcuts_of_the_browser_stay_its_own(page, modifier):
    """An arrow with such a key moves nothing and is not kept from the browser."""
    cell(page, "Layer 2, head 3").focus()
    page.evaluate(
        "addEventListener('keydown', event => { window.kept = event.defaultPrevented;"
        " event.preventDefault(); })"
    )

    page.keyboard.press(f"{modifier}+ArrowLeft")
    assert page.evaluate("window.kept") is False
    expect(cell(page, "Layer 2, head 3")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("window.kept") is True
    expect(cell(page, "Layer 2, head 2")).to_be_focused()


def test_the_map_can_be_saved_as_a_picture(page, tmp_path):
    """The PNG holds the map on the theme's background, not an empty canvas."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the map").click()
    download.value.save_as(tmp_path / "map.png")

    picture = Image.open(tmp_path / "map.png").convert("RGB")
    colors = {color for _, color in picture.getcolors(picture.width * picture.height)}
    assert download.value.suggested_filename == "heads-mass.png"
    assert {(68, 1, 84), (253, 231, 37), (255, 255, 255)} <= colors


@pytest.mark.parametrize("size", ["2x2", "80x64"])
@pytest.mark.parametrize("width", [360, 800, 1440])
def test_the_map_fits_any_width(context, url, size, width):
    """From 2 x 2 to 80 x 64 heads: nothing sticks out, and the labels do not touch."""
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{url}/?size={size}")
    layers, heads = map(int, size.split("x"))
    expect(cells(page)).to_have_count(layers * (heads + 1))
    settled(page)

    excess = page.locator(".frame").evaluate("frame => frame.scrollWidth - frame.clientWidth")
    gaps = [
        page.locator(f".{name}:not(.unlabelled)").evaluate_all(GAPS, side)
        for name, side in (("layer", "y"), ("head", "x"))
    ]
    page.close()

    assert excess <= 0
    assert min(min(found) for found in gaps) > 0


@pytest.fixture
def large(context, url):
    """80 layers of 64 heads in a window of 800 pixels, where they cannot all be seen."""
    opened = context.new_page()
    opened.set_viewport_size({"width": 800, "height": 900})
    opened.goto(f"{url}/?size=80x64")
    expect(cells(opened)).to_have_count(80 * 65)
    settled(opened)
    yield opened
    opened.close()


def test_cells_of_a_large_map_are_large_enough_to_hit(large):
    """They do not shrink below a size that can be pointed at: the map scrolls instead."""
    box = cell(large, "Layer 2, head 3:").bounding_box()

    assert (box["width"], box["height"]) == (12, 10)
    grid = large.get_by_role("grid")
    assert grid.evaluate("grid => grid.scrollWidth > grid.clientWidth")
    assert grid.evaluate("grid => grid.scrollHeight > grid.clientHeight")


def test_the_keyboard_goes_through_a_large_map(large):
    """Each cell that has the focus is seen, clear of the numbers of layers and heads."""
    cell(large, "Layer 2, head 3:").focus()

    for key, name in (
        ("PageDown", "Layer 80, head 3:"),
        ("End", "Layer 80, mean of"),
        ("PageUp", "Layer 1, mean of"),
        ("Home", "Layer 1, head 1:"),
    ):
        large.keyboard.press(key)
        expect(cell(large, name)).to_be_focused()
        assert cell(large, name).evaluate(IS_ON_TOP)

    large.keyboard.press("PageDown")
    large.keyboard.press("Enter")
    expect(large.get_by_text("heard (79, 0), 1 times")).to_be_visible()


def test_the_numbers_of_a_large_map_stay_in_place(large):
    """Wherever it is scrolled to, layers and heads can be read off its edges."""
    grid = large.get_by_role("grid")
    before = {name: large.locator(name).first.bounding_box() for name in (".corner", ".heads")}

    grid.evaluate("grid => grid.scrollTo(grid.scrollWidth, grid.scrollHeight)")

    edge = grid.bounding_box()
    layer = large.locator(".layer").nth(79).bounding_box()
    head = large.locator(".head").nth(63).bounding_box()
    assert large.locator(".corner").bounding_box() == before[".corner"]
    assert layer["x"] == pytest.approx(edge["x"], abs=1)
    assert head["y"] == pytest.approx(before[".heads"]["y"], abs=1)


def test_what_python_chooses_in_a_large_map_is_brought_into_view(large):
    """The map scrolls to it, and the page stays where it is."""
    grid = large.get_by_role("grid")
    grid.evaluate("grid => grid.scrollTo(grid.scrollWidth, grid.scrollHeight)")

    large.get_by_role("button", name="Python chooses").click()

    chosen = cell(large, "Layer 1, head 1:")
    expect(chosen).to_have_attribute("aria-selected", "true")
    assert chosen.evaluate(IS_ON_TOP)


# Whether what lies at the middle of a cell is the cell itself.
IS_ON_TOP = """(cell) => {
  const { x, y, width, height } = cell.getBoundingClientRect();
  return cell.getRootNode().elementFromPoint(x + width / 2, y + height / 2) === cell;
}"""
# Distances between the texts of neighbouring labels, along the axis on which they stand.
GAPS = """(labels, axis) => {
  const boxes = labels.map((label) => {
    const text = document.createRange();
    text.selectNodeContents(label);
    return text.getBoundingClientRect();
  });
  const [start, end] = axis === "x" ? ["left", "right"] : ["top", "bottom"];
  return boxes.slice(1).map((box, i) => box[start] - boxes[i][end]);
}"""

"""The map of hidden states, alone on a page: its blob, pointer, keyboard, and talk with Python."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from pages.shared.components.state_map import encoded
from tests.browser import ROOT, complaints, served, settled
from tests.packed import unpacked
from tests.pages import state_map_alone as alone

browser = pytest.mark.browser
PIXELS = "canvas => canvas.toDataURL()"


@pytest.fixture(scope="module")
def url():
    """One server for all tests of this file."""
    script = Path(alone.__file__)
    with served(script, PYTHONPATH=str(ROOT)) as server:
        yield server.url


@pytest.fixture
def page(context, url):
    """The page, freshly opened, with the map drawn; nothing may go wrong on it."""
    opened = context.new_page()
    found = complaints(opened)
    opened.goto(url)
    expect(opened.locator(".words button")).to_have_count(4)
    settled(opened)
    yield opened
    opened.close()
    assert found == []


def canvas(page: Page) -> Locator:
    """The map itself."""
    return page.locator(".map > canvas")


def expect_heard(page: Page, tokens: tuple[int, ...], state: int) -> None:
    """Wait until Python has these tokens and this state."""
    expect(page.get_by_text(f"heard ({tokens}, {state})", exact=True)).to_be_visible()


def test_the_blob_holds_every_array_where_its_header_says():
    """Reading the parts at the header's places gives back points, boxes, neighbours, cosines."""
    shown = alone.shown()
    blob = encoded(shown)
    header, part = unpacked(blob)

    edges = np.array(header["edges"])[:, None]
    steps = part("points", "<u2").reshape(shown.points.shape)
    points = steps / 65535 * edges[..., 2:] + edges[..., :2]
    np.testing.assert_allclose(points, shown.points, atol=2e-5)
    assert [list(header["kindNouns"])[kind] for kind in part("kinds", "u1")] == list(alone.KINDS)
    np.testing.assert_array_equal(part("positions", "<u4"), shown.positions)
    boxes = part("boxes", "<f4").reshape(10, 4)
    np.testing.assert_array_equal(boxes, alone.tokens().boxes)
    marks = part("neighbours", "<u2").reshape(shown.neighbours.shape).astype(int)
    np.testing.assert_array_equal(np.where(marks == 65535, -1, marks), shown.neighbours)
    cosines = part("similarities", "<i2").reshape(shown.neighbours.shape) / 32767
    np.testing.assert_allclose(cosines, shown.similarities, atol=2e-5)
    start, size = header["parts"]["picture"]
    assert start + size == len(blob)
    assert blob[start : start + 2] == b"\xff\xd8"  # a JPEG begins so


@pytest.mark.parametrize("shares_scale", [True, False])
def test_points_keep_their_places_to_a_fraction_of_a_pixel(shares_scale):
    """Whatever the size and place of a state, also where nothing tells its tokens apart."""
    shown = alone.shown()
    points = shown.points * np.array([1, 1000, 0, 0.01])[:, None, None] + [7, -5]

    header, part = unpacked(encoded(replace(shown, points=points, shares_scale=shares_scale)))

    edges = np.array(header["edges"])[:, None]
    steps = part("points", "<u2").reshape(points.shape)
    found = steps / 65535 * edges[..., 2:] + edges[..., :2]
    assert (np.abs(found - points) <= edges[..., 2:] / 1e5).all()


@browser
def test_a_clicked_word_lists_its_neighbours_and_python_hears_of_it(page):
    """The list names the nearest words and patches with their cosines, at once."""
    page.locator(".words button").nth(2).click()

    expect(page.locator(".subject")).to_have_text("Nearest to <b>star</b>, embeddings")
    rows = page.locator(".lists button")
    expect(rows).to_have_text(["red−0.25", "patch 1, 1−0.25", "patch 1, 2−0.25"])
    expect_heard(page, (2,), 0)


@browser
def test_of_many_tokens_the_neighbours_come_when_one_is_chosen(page, url):
    """Python works them out and sends them; they are listed as if they had been there."""
    page.goto(f"{url}/?many=1")
    expect(page.locator(".words button")).to_have_count(4)
    settled(page)

    page.locator(".words button").nth(2).click()

    rows = page.locator(".lists button")
    expect(rows).to_have_text(["red−0.25", "patch 1, 1−0.25", "patch 1, 2−0.25"])
    page.locator(".layer").fill("3")
    names = page.locator(".lists button span")
    expect(names).to_have_text(["red", "patch 2, 3", "patch 2, 2"])
    expect_heard(page, (2,), 3)


@browser
def test_a_word_of_the_answer_has_a_mark_and_a_name_of_its_own(page, url):
    """In the legend, under the pointer and for the screen reader."""
    page.goto(f"{url}/?answer=1")
    expect(page.locator(".legend li")).to_have_text(
        ["words", "words of the answer", "patches", "special tokens"]
    )
    settled(page)

    canvas(page).focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")

    expect(page.locator(".spoken")).to_have_text("<b>star</b>, word of the answer, embeddings")


@browser
def test_what_is_listed_follows_the_layer(page):
    """The neighbours are those of the shown layer, and the caption is its own."""
    page.locator(".words button").nth(2).click()
    page.locator(".layer").fill("3")

    expect(page.locator(".state-name")).to_have_text("after layer 3")
    expect(page.locator(".caption")).to_have_text("caption 3")
    rows = page.locator(".lists button span")
    expect(rows).to_have_text(["red", "patch 2, 3", "patch 2, 2"])
    expect_heard(page, (2,), 3)


def place_of(page: Page, state: int, mark: int) -> dict[str, float]:
    """Where a mark lies on the canvas: the box of all points fills it inside fixed margins."""
    points = alone.shown().points
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    room = canvas(page).bounding_box()
    width, height = room["width"] - 34 - 34, room["height"] - 46 - 42
    scale = min(width / (high[0] - low[0]), height / (high[1] - low[1]))
    x, y = scale * (points[state, mark] - (low + high) / 2)
    return {"x": 34 + width / 2 + x, "y": 46 + height / 2 - y}


@browser
def test_a_click_on_a_mark_of_the_map_selects_that_token(page):
    """The token whose point lies under the pointer is named and chosen; empty space clears."""
    canvas(page).hover(position=place_of(page, 0, 6))
    expect(page.locator(".tip b")).to_have_text("patch 1, 3")
    canvas(page).click(position=place_of(page, 0, 6))
    expect_heard(page, (6,), 0)

    room = canvas(page).bounding_box()
    canvas(page).click(position={"x": room["width"] / 2, "y": room["height"] / 2})
    expect_heard(page, (), 0)


@browser
def test_the_keyboard_does_all(page):
    """Arrows change layer and token, Enter selects, shift adds, Escape clears."""
    canvas(page).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".state-name")).to_have_text("after layer 1")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".spoken")).to_have_text("red, word, after layer 1")
    page.keyboard.press("Enter")
    expect_heard(page, (1,), 1)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+Enter")
    expect_heard(page, (1, 0), 1)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    expect_heard(page, (), 0)


@browser
def test_what_python_chooses_is_shown(page):
    """A choice made elsewhere moves the map to its layer and token, and is not sent back."""
    page.get_by_role("button", name="Python chooses").click()

    expect(page.locator(".state-name")).to_have_text("after layer 3")
    expect(page.locator(".subject")).to_have_text("Nearest to <b>star</b>, after layer 3")
    expect(page.locator(".words button").nth(2)).to_have_attribute("aria-pressed", "true")
    expect_heard(page, (2,), 3)


@browser
def test_playing_moves_the_points_through_all_layers(page):
    """Every layer is named in turn, the picture changes on the way, and the button comes back."""
    before = canvas(page).evaluate(PIXELS)
    drawn = canvas(page).element_handle()
    page.get_by_role("button", name="Play through the layers").click()
    for layer in range(1, alone.STATES):
        expect(page.locator(".state-name")).to_have_text(f"after layer {layer}")
        page.wait_for_function(
            "([canvas, before]) => canvas.toDataURL() !== before", arg=[drawn, before]
        )
    expect(page.locator(".play")).to_have_text("Play")
    expect_heard(page, (), alone.STATES - 1)


@browser
def test_with_reduced_motion_a_layer_is_there_at_once(page):
    """Whoever asked for less motion sees no gliding: the next painted frame is the last one."""
    page.emulate_media(reduced_motion="reduce")
    canvas(page).focus()
    page.keyboard.press("ArrowRight")
    frames = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    page.evaluate(frames)
    soon = canvas(page).evaluate(PIXELS)
    page.wait_for_timeout(800)  # longer than any glide

    assert canvas(page).evaluate(PIXELS) == soon


@browser
def test_a_patch_of_the_photo_is_framed_and_found_in_the_map(page):
    """Pointing at the photo frames the patch there and rings it in the map; a click selects it."""
    before = canvas(page).evaluate(PIXELS)
    photo = page.locator(".photo").bounding_box()
    page.mouse.move(photo["x"] + 0.5 * photo["width"], photo["y"] + 0.75 * photo["height"])

    frame = page.locator(".photo rect").last
    assert [frame.get_attribute(name) for name in ("x", "y", "width", "height")] == [
        "20",
        "20",
        "20",
        "20",
    ]
    assert canvas(page).evaluate(PIXELS) != before
    page.mouse.down()
    page.mouse.up()
    expect_heard(page, (8,), 0)


@browser
def test_the_saved_picture_is_a_png(page):
    """The button hands over what is seen as a file that every program opens."""
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()

    assert download.value.suggested_filename == "hidden_states.png"
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


@browser
def test_a_blob_that_was_lost_is_asked_for_again(context, url):
    """A run that was cut off may not have sent it: after a while the map asks, and is drawn."""
    opened = context.new_page()
    opened.add_init_script(
        """
        const blobs = new Map();
        const set = blobs.set.bind(blobs);
        blobs.set = () => { blobs.set = set; };  // the first one gets lost
        globalThis.__vl = { blobs, target: new EventTarget() };
        """
    )
    opened.goto(url)
    expect(opened.locator(".waiting")).to_be_visible()
    opened.get_by_role("button", name="Python chooses").click()  # a run that sends no blob
    expect_heard(opened, (2,), 3)

    expect(opened.locator(".words button")).to_have_count(4)
    expect(opened.locator(".subject")).to_have_text("Nearest to <b>star</b>, after layer 3")
    expect(opened.locator(".waiting")).to_be_hidden()
    opened.close()


@browser
def test_many_long_texts_are_cut_and_scroll(context, url):
    """Words take no more than their box; what is cut is whole when pointed at, with its place."""
    opened = context.new_page()
    found = complaints(opened)
    opened.goto(f"{url}/?long")
    buttons = opened.locator(".words button")
    expect(buttons).to_have_count(60)
    settled(opened)

    expect(buttons.nth(6)).to_have_text("????????… (7/60)")
    expect(buttons.nth(6)).to_have_attribute("title", f"{'?' * 60} (7/60), position 7")
    titles = [buttons.nth(place).get_attribute("title") for place in (0, 1)]
    assert titles == [f"{'?' * 60} (2/60), position {place}" for place in (1, 2)]
    words = opened.locator(".words")
    heights = words.evaluate("box => [box.clientHeight, box.scrollHeight]")
    assert heights[0] <= 230 < heights[1]
    opened.close()
    assert found == []

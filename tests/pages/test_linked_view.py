"""The linked view, alone on a page: its numbers, pointer, keyboard, and talk with Python."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser import ROOT, complaints, served, settled
from tests.builders import PICTURE_SIZE, random_example
from tests.pages import linked_view_alone as alone
from vl_core.token_attention import token_names

CLS, IS, THE, RED, STAR, LEFT, SEP, FIRST_PATCH = range(8)
LAST_PATCH = 12
WORDS = [IS, THE, RED, STAR, LEFT]
NAMES = {IS: "'is'", RED: "'red'", STAR: "'<b>star</b>'", LEFT: "'left'"}
PRINTED = 5.1e-4  # a share is printed to a tenth of a percent
BRIGHTEST = (252, 253, 191)  # the end of magma
# Keeps back what waits for 150 ms, as choices do before they go to Python, once `holds` is set.
HOLDING = """
const wait = window.setTimeout.bind(window);
window.held = [];
window.setTimeout = (act, time, ...rest) =>
  window.holds && time === 150 ? window.held.push(act) : wait(act, time, ...rest);
"""
MAP = "canvas => canvas.toDataURL()"


@pytest.fixture(scope="module")
def url():
    """One server for all tests of this file."""
    with served(Path(alone.__file__), PYTHONPATH=str(ROOT)) as server:
        yield server.url


def arrive(page: Page, url: str) -> None:
    """Open the page and wait until the view is drawn."""
    page.goto(url)
    expect(page.locator(".word")).to_have_count(7)
    expect(page.locator(".sentence")).to_contain_text("layer 2, head 3")
    settled(page)


@pytest.fixture
def page(context, url):
    """The page, freshly opened; nothing may go wrong on it."""
    page = context.new_page()
    found = complaints(page)
    arrive(page, url)
    yield page
    page.close()
    assert found == []


@pytest.fixture(scope="module")
def weights():
    """Layer x head x query x key, as Python has them."""
    return np.asarray(alone.stack().weights)


def word(page: Page, token: int) -> Locator:
    """The chip of a token."""
    return page.locator(f'.word[data-token="{token}"]')


def on_patch(page: Page, token: int) -> dict[str, float]:
    """The middle of a patch on the stage, which shows 2 x 3 of them."""
    row, column = divmod(token - FIRST_PATCH, 3)
    box = page.locator(".stage").bounding_box()
    return {"x": box["width"] * (column + 0.5) / 3, "y": box["height"] * (row + 0.5) / 2}


def called(token: int) -> str:
    """What a patch is called at the beginning of a sentence."""
    return token_names(alone.tokens())[token].replace("patch", "Patch")


def shares(page: Page) -> list[float]:
    """The numbers on screen for text, image and specials, as shares."""
    numbers = [
        page.locator(f".numbers .{kind}").inner_text() for kind in ("text", "image", "special")
    ]
    return [float(re.search(r"([\d.]+)\s%", number)[1]) / 100 for number in numbers]


def printed(page: Page, place: str) -> float:
    """The percentage that is written there."""
    return float(re.search(r"([\d.]+)\s%", page.locator(place).inner_text())[1])


def squeeze(page: Page, kind: str) -> None:
    """Give all keys of a kind next to nothing, in the bytes that the browser has of the head."""
    keys = list(range(FIRST_PATCH, LAST_PATCH + 1)) if kind == "image" else WORDS
    page.evaluate(
        """keys => {
          const blob = globalThis.__vl.blobs.get("alone/encoder/1/h2");
          const codes = new Uint16Array(blob.buffer, blob.byteOffset + 4 + 4 * 13, 13 * 13);
          for (let row = 0; row < 13; row++) for (const key of keys) codes[13 * row + key] = 1;
        }""",
        keys,
    )


def expected_shares(profile: np.ndarray, direction: str = "looks_at") -> list[float]:
    """The same by a plain loop: sums of a row, means of a column."""
    groups = (WORDS, range(FIRST_PATCH, LAST_PATCH + 1), [CLS, SEP])
    found = []
    for group in groups:
        total = sum(float(profile[token]) for token in group)
        found.append(total if direction == "looks_at" else total / len(group))
    return found


def expect_heard(page: Page, **changes: object) -> None:
    """Wait until Python has the choice that the page starts with, but for these changes."""
    text = f"heard {alone.START | changes}"
    expect(page.get_by_text(text, exact=True)).to_be_visible()


def choose(page: Page, group: str, text: str) -> None:
    """Click one of the choices of a group."""
    page.locator(f'[data-choice="{group}"]').get_by_text(text, exact=True).click()


def is_blue_near(canvas: Locator, x: float, y: float) -> bool:
    """Whether the first color of boxes is within two pixels of this place in the picture."""
    return canvas.evaluate(
        """(canvas, [x, y, width]) => {
          const scale = canvas.width / width;
          const [left, top] = [Math.round(x * scale) - 2, Math.round(y * scale) - 2];
          const { data } = canvas.getContext("2d").getImageData(left, top, 5, 5);
          return Array.from({ length: 25 }, (_, i) => [...data.slice(4 * i, 4 * i + 3)].join())
            .includes("79,195,247");
        }""",
        [x, y, PICTURE_SIZE[0]],
    )


@pytest.mark.browser
def test_pointing_at_a_word_lights_up_picture_and_words_without_the_server(page, weights):
    """Map, numbers and sentence are those of the word; the script does not run for it."""
    before = page.locator("canvas.map").evaluate(MAP)

    for token in (IS, RED, LEFT):
        word(page, token).hover()
        beginning = f"{NAMES[token]} in layer 2, head 3 looks most at"
        expect(page.locator(".sentence")).to_contain_text(beginning)
        assert shares(page) == pytest.approx(expected_shares(weights[1, 2, token]), abs=PRINTED)

    assert page.locator("canvas.map").evaluate(MAP) != before
    page.mouse.move(0, 0)
    expect(page.locator(".sentence")).to_contain_text(f"{NAMES[STAR]} in layer 2")
    assert page.locator("canvas.map").evaluate(MAP) == before
    expect(page.get_by_text("run 1", exact=True)).to_be_visible()


@pytest.mark.browser
@pytest.mark.parametrize("token", [FIRST_PATCH, LAST_PATCH - 1, LAST_PATCH])
def test_pointing_at_a_patch_shows_who_looks_at_it(page, weights, token):
    """Looked at by: a column, whose means by kind are told, and that they add up to nothing."""
    choose(page, "direction", "is looked at by")
    page.locator(".stage").hover(position=on_patch(page, token))

    sentence = page.locator(".sentence")
    expect(sentence).to_contain_text(f"{called(token)} in layer 2")
    expect(sentence).to_contain_text("do not add up to 100 %")
    wanted = expected_shares(weights[1, 2, :, token], "looked_at_by")
    assert shares(page) == pytest.approx(wanted, abs=PRINTED)


@pytest.mark.browser
def test_patches_are_colored_in_the_order_of_their_weights(page, weights):
    """Without the picture, the strongest patch has the brightest color and none is out of order."""
    choose(page, "picture", "hidden")
    page.mouse.move(0, 0)

    pixels = []
    for token in range(FIRST_PATCH, LAST_PATCH + 1):
        place = on_patch(page, token)
        pixels.append(
            page.locator("canvas.map").evaluate(
                "(canvas, {x, y}) => [...canvas.getContext('2d').getImageData("
                "x * devicePixelRatio, y * devicePixelRatio, 1, 1).data]",
                place,
            )
        )

    row = weights[1, 2, STAR, FIRST_PATCH:]
    brightness = [sum(pixel[:3]) for pixel in pixels]
    assert np.argsort(brightness).tolist() == np.argsort(row).tolist()
    assert tuple(pixels[int(row.argmax())]) == (*BRIGHTEST, 255)


@pytest.mark.browser
@pytest.mark.parametrize(("layer", "head"), [(0, 4), (2, 0), (2, None), (None, 1), (None, None)])
def test_layers_heads_and_their_means_are_those_chosen(page, weights, layer, head):
    """The numbers are those of the layer and head, or of the mean over heads, layers, or both."""
    if layer is None:
        page.locator("#mean-layers + span").click()
    else:
        page.locator("#layer").fill(str(layer))
    choose(page, "head", "mean" if head is None else str(head + 1))

    by_layer = weights.mean(axis=0) if layer is None else weights[layer]
    matrix = by_layer.mean(axis=0) if head is None else by_layer[head]
    now = {"all_layers": True} if layer is None else {"layer": layer}
    expect_heard(page, head=head, **now)
    assert shares(page) == pytest.approx(expected_shares(matrix[STAR]), abs=PRINTED)


@pytest.mark.browser
def test_a_click_pins_and_a_second_click_lets_go(page, weights):
    """Python hears of both; with nothing pinned, the mean of all words is on show."""
    word(page, RED).click()
    expect_heard(page, tokens=(RED,))
    word(page, RED).click()
    expect_heard(page, tokens=())

    page.mouse.move(0, 0)
    expect(page.locator(".sentence")).to_contain_text("The mean of all words")
    mean = weights[1, 2, WORDS].mean(axis=0)
    assert shares(page) == pytest.approx(expected_shares(mean), abs=PRINTED)


@pytest.mark.browser
def test_shift_click_averages_words_and_patches(page, weights):
    """Tokens of both kinds join those pinned, and the numbers are the mean of their rows."""
    word(page, LEFT).click(modifiers=["Shift"])
    page.locator(".stage").click(position=on_patch(page, 10), modifiers=["Shift"])

    expect_heard(page, tokens=(STAR, LEFT, 10))
    page.mouse.move(0, 0)
    mean = weights[1, 2, [STAR, LEFT, 10]].mean(axis=0)
    assert shares(page) == pytest.approx(expected_shares(mean), abs=PRINTED)


@pytest.mark.browser
def test_dragging_over_patches_pins_all_that_were_touched(page):
    """From the last patch of the first row to the middle one below: four patches."""
    box = page.locator(".stage").bounding_box()
    for token, then in ((FIRST_PATCH + 2, page.mouse.down), (LAST_PATCH - 1, page.mouse.up)):
        place = on_patch(page, token)
        page.mouse.move(box["x"] + place["x"], box["y"] + place["y"], steps=5)
        then()

    expect_heard(page, tokens=(8, 9, 11, 12))
    expect(page.locator(".sentence")).to_contain_text("The mean of 4 patches")


@pytest.mark.browser
def test_dragging_over_words_pins_all_between(page):
    """A drag along the sentence takes every word on the way."""
    word(page, IS).hover()
    page.mouse.down()
    word(page, STAR).hover()
    page.mouse.up()

    expect_heard(page, tokens=(IS, THE, RED, STAR))


@pytest.mark.browser
def test_reading_values_keeps_the_map_and_tells_the_weight(page, weights):
    """With pointing set to reading, the pinned map stays and the tip has the raw weight."""
    choose(page, "pointing", "reads values")
    page.locator(".stage").hover(position=on_patch(page, 9))

    expect(page.locator(".sentence")).to_contain_text(NAMES[STAR])
    expect(page.locator(".tip")).to_contain_text(called(9))
    found = re.search(r"\(([\d.e-]+)\)", page.locator(".tip").inner_text())[1]
    row = weights[1, 2, STAR]
    assert float(found) == pytest.approx(float(row[9]), rel=0.006)  # three digits


@pytest.mark.browser
def test_shared_colors_put_every_token_on_one_scale(page, weights):
    """The scale ends at the largest weight between words and patches, whatever is pointed at."""
    choose(page, "scaling", "shared")
    places = [*WORDS, *range(FIRST_PATCH, LAST_PATCH + 1)]
    top = 100 * weights[1, 2][np.ix_(places, places)].max()

    for token in (CLS, RED, LEFT):
        word(page, token).hover()
        expect(page.locator(".sentence")).to_contain_text("[CLS]" if token == CLS else NAMES[token])
        for scale in (".picture-scale", ".words-scale"):
            expect(page.locator(f"{scale} .to")).to_contain_text(f"{top:.1f} %")


@pytest.mark.browser
@pytest.mark.parametrize(("bright", "dark"), [("image", "text"), ("text", "image")])
def test_next_to_nothing_looks_like_nothing(page, weights, bright, dark):
    """With a scale of its own for each map, none ends below 1/20 of the other."""
    squeeze(page, dark)
    for layer in "01":  # away and back: the view remembers the weights of the layer on show
        page.locator("#layer").fill(layer)
    page.mouse.move(0, 0)

    places = {"image": slice(FIRST_PATCH, LAST_PATCH + 1), "text": slice(IS, LEFT + 1)}
    scales = {"image": ".picture-scale", "text": ".words-scale"}
    tops = {kind: 100 * weights[1, 2, STAR, place].max() for kind, place in places.items()}
    ends = {kind: printed(page, f"{scale} .to") for kind, scale in scales.items()}
    assert ends[bright] == pytest.approx(tops[bright], abs=0.051)
    assert ends[dark] == pytest.approx(tops[bright] / 20, abs=0.051)
    assert "<0.01 %" in page.locator(f".numbers .{dark}").inner_text().replace("\xa0", " ")


@pytest.mark.browser
def test_smooth_maps_have_more_colors_than_patches(page):
    """Blocks have one color for each patch; smooth ones blend from each to the next."""
    choose(page, "picture", "hidden")
    page.get_by_role("button", name="PNG").hover()
    page.locator(".stage").press("Escape")  # no outline of a pinned patch
    colors = (
        "canvas => new Set(new Uint32Array(canvas.getContext('2d')"
        ".getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"
    )
    assert page.locator("canvas.map").evaluate(colors) <= 6
    choose(page, "patches", "smooth")
    page.get_by_role("button", name="PNG").hover()
    assert page.locator("canvas.map").evaluate(colors) > 30


@pytest.mark.browser
def test_boxes_of_the_example_are_drawn_on_request(page):
    """Its star, in the first of the colors: nothing here is called by a number."""
    ((region,), canvas) = (random_example().regions, page.locator("canvas.map"))
    left, _, right, bottom = region.box
    marks = [(left, bottom - 4), (right - 6, bottom)]
    assert not any(is_blue_near(canvas, *mark) for mark in marks)

    choose(page, "regions", "shown")

    assert all(is_blue_near(canvas, *mark) for mark in marks)
    choose(page, "regions", "hidden")
    assert not any(is_blue_near(canvas, *mark) for mark in marks)


@pytest.mark.browser
def test_the_keyboard_does_all(page):
    """Arrows move the pin over words and patches, Shift adds, Escape lets go."""
    word(page, STAR).focus()
    page.keyboard.press("ArrowRight")
    expect_heard(page, tokens=(LEFT,))
    page.locator(".stage").focus()
    page.keyboard.press("ArrowDown")
    expect_heard(page, tokens=(FIRST_PATCH,))
    page.keyboard.press("ArrowDown")
    expect_heard(page, tokens=(FIRST_PATCH + 3,))
    page.keyboard.press("Shift+ArrowRight")
    expect_heard(page, tokens=(FIRST_PATCH + 3, FIRST_PATCH + 4))
    page.keyboard.press("Escape")
    expect_heard(page, tokens=())


@pytest.mark.browser
@pytest.mark.parametrize("modifier", ["Alt", "Control", "Meta"])
def test_shortcuts_of_the_browser_stay_its_own(page, modifier):
    """An arrow with such a key neither moves the pin nor is kept from the browser."""
    page.evaluate(
        "addEventListener('keydown', event => { window.kept = event.defaultPrevented;"
        " event.preventDefault(); })"
    )
    word(page, STAR).focus()
    page.keyboard.press(f"{modifier}+ArrowRight")
    assert page.evaluate("window.kept") is False
    expect(word(page, STAR)).to_have_class(re.compile("pinned"))
    page.keyboard.press("ArrowRight")
    assert page.evaluate("window.kept") is True
    expect_heard(page, tokens=(LEFT,))


@pytest.mark.browser
def test_space_plays_through_the_words_and_stops(page):
    """It starts after the pinned word and goes on by itself; what is pinned comes back."""
    word(page, STAR).focus()
    page.keyboard.press("Space")
    expect(page.locator(".sentence")).to_contain_text(NAMES[LEFT])
    expect(page.locator(".sentence")).to_contain_text(NAMES[IS])
    page.keyboard.press("Space")
    expect(page.locator(".sentence")).to_contain_text(NAMES[STAR])
    expect(page.locator(".play")).to_have_text("▶ Play words")


@pytest.mark.browser
def test_who_wants_less_motion_steps_by_hand(context, url):
    """Nothing moves by itself: each press shows the next word."""
    page = context.new_page()
    page.emulate_media(reduced_motion="reduce")
    page.goto(url)
    button = page.get_by_role("button", name="Next word")
    for name in (NAMES[LEFT], NAMES[IS]):
        button.click()
        expect(page.locator(".sentence")).to_contain_text(name)
    expect(button).to_have_text("Next word")
    page.close()


@pytest.mark.browser
def test_all_heads_of_the_layer_are_small_maps_to_choose_from(page):
    """There is one for each head, the chosen one is marked, and a click chooses another."""
    maps = page.locator(".thumbnail")
    expect(maps).to_have_count(5)
    expect(maps.nth(2)).to_have_attribute("aria-pressed", "true")
    pictures = maps.locator("canvas").evaluate_all("all => all.map(one => one.toDataURL())")
    assert len(set(pictures)) == 5

    maps.nth(4).click()
    expect_heard(page, head=4)
    expect(page.locator(".sentence")).to_contain_text("head 5")


@pytest.mark.browser
def test_a_change_from_python_is_followed(page, weights):
    """Layer, head, direction and tokens are those that Python has chosen."""
    page.get_by_role("button", name="Python chooses").click()

    sentence = page.locator(".sentence")
    expect(sentence).to_contain_text("layer 3, mean of 5 heads is looked at most by")
    column = weights[2].mean(axis=0)[:, [1, 9]].mean(axis=1)
    assert shares(page) == pytest.approx(expected_shares(column, "looked_at_by"), abs=PRINTED)
    expect(page.locator("#layer")).to_have_value("2")


@pytest.mark.browser
def test_a_slow_answer_does_not_undo_what_was_clicked_since(context, url):
    """While Python works on the first click, the second one stands, and Python hears it too."""
    page = context.new_page()
    page.add_init_script(HOLDING)
    arrive(page, f"{url}?slow")
    word(page, IS).click()
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=running]")
    page.evaluate("window.holds = true")
    word(page, LEFT).click()

    expect_heard(page, tokens=(IS,))
    expect(word(page, LEFT)).to_have_class(re.compile("pinned"))
    page.evaluate("window.held.forEach(send => send())")
    expect_heard(page, tokens=(LEFT,))
    expect(word(page, LEFT)).to_have_class(re.compile("pinned"))
    page.close()


@pytest.mark.browser
def test_what_the_browser_lost_is_sent_again(page):
    """Without its bytes the view says that it loads, asks for them, and draws."""
    page.evaluate("globalThis.__vl.blobs.clear()")
    page.locator("#layer").fill("0")
    expect(page.locator(".loading")).to_have_text("Loading layer 1 …")
    expect(page.locator(".sentence")).to_contain_text("layer 1, head 3")
    expect(page.locator(".loading")).to_be_hidden()


@pytest.mark.browser
def test_markup_is_shown_as_text_and_unknown_words_are_marked(page):
    """A question cannot write into the page."""
    expect(word(page, STAR)).to_have_text("<b>star</b>")
    expect(page.locator(".words b")).to_have_count(0)
    expect(page.locator(".word.unknown")).to_have_text("left")


@pytest.mark.browser
def test_the_png_holds_picture_and_words(page):
    """A click downloads a picture that is no plain color."""
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    picture = Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert picture.width == 1200
    assert 600 < picture.height < 2000
    assert len(picture.convert("RGB").getcolors(2**24)) > 100


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 800])
def test_narrow_windows_show_everything_without_scrolling_sideways(page, width):
    """No part of the view is wider than the window."""
    page.set_viewport_size({"width": width, "height": 900})
    expect(page.locator(".stage")).to_be_visible()
    widest = page.locator(".view").evaluate(
        "view => Math.max(...[...view.querySelectorAll('*')]"
        ".filter(part => part.checkVisibility() && getComputedStyle(part).position !== 'absolute')"
        ".map(part => part.getBoundingClientRect().right))"
    )
    assert widest <= width

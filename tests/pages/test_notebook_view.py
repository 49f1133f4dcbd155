"""The linked view as a notebook shows it: a file in a browser, without a server."""

import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser import complaints, visitor
from tests.builders import random_trace
from tests.decoders import decoder_trace
from tests.pages.test_linked_view import BRIGHTEST, printed
from vl_core import notebook
from vl_core.linked_view import delivery

pytestmark = pytest.mark.browser

LAYER = 1
# The color in the middle of each of 2 x 3 patches.
COLORS = """canvas => [0, 1].flatMap((row) => [0, 1, 2].map((column) => [...canvas.getContext("2d")
  .getImageData(canvas.width * (column + 0.5) / 3, canvas.height * (row + 0.5) / 2, 1, 1).data]))"""


@pytest.fixture(scope="module")
def trace():
    """Four words and 2 x 3 patches, 3 layers of 5 heads."""
    return random_trace()


@pytest.fixture
def opened(context):
    """Opens a file; nothing may go wrong there, and nothing may be asked for."""
    page = context.new_page()
    found, asked = complaints(page), []
    page.on("request", lambda request: asked.append(request.url))

    def open_file(path):
        page.goto(path.as_uri())
        return page

    yield open_file
    page.close()
    assert found == []
    assert [url for url in asked if not url.startswith(("file:", "blob:"))] == []


def test_pointing_at_a_word_shows_what_the_trace_holds(opened, trace, tmp_path):
    """Shares, sentence and the brightest patch are those of the word's row, of the head chosen."""
    notebook.linked_view(trace, layer=LAYER).save(tmp_path / "view.html")
    page = opened(tmp_path / "view.html")
    page.locator('[data-choice="head"]').get_by_text("3", exact=True).click()
    stack = trace.stacks["encoder"]
    tokens = stack.queries
    patches = np.flatnonzero(tokens.is_image)

    for word in np.flatnonzero(tokens.is_text):
        page.locator(f'.word[data-token="{word}"]').hover()
        expect(page.locator(".sentence")).to_contain_text(
            f"'{tokens.texts[word]}' in layer 2, head 3"
        )
        row = stack.weights[LAYER, 2, word]
        for kind in ("text", "image", "special"):
            share = sum(
                weight for weight, own in zip(row, tokens.kinds, strict=True) if own == kind
            )
            assert printed(page, f".numbers .{kind}") == pytest.approx(100 * share, abs=0.051)
        colors = np.array(page.locator("canvas.map").evaluate(COLORS))
        brightest = int(row[patches].argmax())
        assert colors[:, 3].argmax() == brightest
        np.testing.assert_allclose(colors[brightest, :3], BRIGHTEST, atol=2)
        # Weak patches let more of the picture through: their order is that of the weights.
        assert (np.diff(colors[np.argsort(row[patches]), 3]) >= 0).all()


def test_the_frame_of_a_cell_grows_to_its_page(opened, trace, tmp_path):
    """In a page such as Jupyter's, and the view in it answers, too."""
    shown = f'<!DOCTYPE html><meta charset="utf-8">{notebook.linked_view(trace)._repr_html_()}'
    (tmp_path / "cell.html").write_text(shown, encoding="utf-8")
    page = opened(tmp_path / "cell.html")

    frame = page.frame_locator("iframe")
    frame.locator('.word[data-token="2"]').hover()
    expect(frame.locator(".sentence")).to_contain_text(re.compile(r"^'the' in layer"))
    inner = frame.locator("html").evaluate("root => root.offsetHeight")
    expect(page.locator("iframe")).to_have_css("height", f"{inner}px")
    assert inner != notebook.HEIGHT


def test_what_is_on_show_is_taken_away_as_a_picture(opened, trace, tmp_path):
    """Also from a file, whose policy forbids almost everything."""
    notebook.linked_view(trace).save(tmp_path / "view.html")
    page = opened(tmp_path / "view.html")

    with page.expect_download() as started:
        page.locator(".png").click()

    with Image.open(started.value.path()) as saved:
        assert saved.format == "PNG"
        assert saved.width == 1200


def test_one_layer_of_a_long_trace_works_by_itself(opened, tmp_path, monkeypatch):
    """From queries and keys, also the mean of all heads; no other layer is offered."""
    trace = decoder_trace()
    stack = trace.stacks["language"]
    monkeypatch.setattr(delivery, "WHOLE_BYTES", 100)
    notebook.linked_view(trace, "language", layer=2).save(tmp_path / "long.html")
    page = opened(tmp_path / "long.html")

    page.locator('[data-choice="head"]').get_by_text("mean", exact=True).click()
    word = int(np.flatnonzero(stack.queries.is_text & ~stack.queries.is_generated)[-1])
    page.locator(f'.word[data-token="{word}"]').hover()

    expect(page.locator(".sentence")).to_contain_text("layer 3, mean")
    row = np.mean([stack.weights[2, head, word] for head in range(6)], axis=0)
    share = 100 * row[stack.keys.is_text].sum()
    assert printed(page, ".shares .numbers span:nth-child(1)") == pytest.approx(share, abs=0.051)
    expect(page.locator("#layer")).to_have_attribute("max", "0")
    expect(page.locator("#mean-layers")).to_be_disabled()
    expect(page.locator("header")).to_contain_text("Only layer 3 (layer=2) is on this page")


@pytest.mark.parametrize(("scheme", "color"), [("light", "255, 255, 255"), ("dark", "15, 20, 27")])
def test_it_is_light_or_dark_as_the_browser_is(browser, trace, tmp_path, scheme, color):
    """The page and the controls of the view."""
    notebook.linked_view(trace).save(tmp_path / "view.html")
    with visitor(browser, scheme=scheme) as context:
        page = context.new_page()
        page.goto((tmp_path / "view.html").as_uri())

        expect(page.locator("body")).to_have_css("background-color", f"rgb({color})")
        expect(page.locator(".play")).to_have_css("background-color", f"rgb({color})")

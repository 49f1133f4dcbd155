"""Takes this folder's pictures from the running app: `python -m docs.take_screenshots`."""

import argparse
import io
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Browser, Page

from tests import visit
from tests.browser import launched, served, visitor

HERE = Path(__file__).parent
FOOT = 96  # pixels of nothing below each page
TALLEST = 2400  # ... and what is cut off
FIRST = "Attention", "light", 920  # for the README: the upper part of this page, so many pixels
QUALITY = 82
# What each page shows; the rest is as the app opens, on its worked example.
OPTION = {"model": "embedded", "set": "Scenes: multiple choice", "item": "3", "asked": "1"}
RIGHT = OPTION | {"option": "2"}
BOTH = RIGHT | {"with": urlencode(OPTION | {"option": "1"}), "layer": "6", "head": "6"}
SHOWN = {
    "Overview": "",
    "Data sets": f"?{urlencode(RIGHT)}",
    "Heads": "",
    "Attention": "?head=mean",
    "Hidden states": "?state=4",
    "Compare": f"?{urlencode(BOTH)}",
}


def main() -> None:
    """Every page, light and dark."""
    parser = argparse.ArgumentParser(prog="python -m docs.take_screenshots", description=__doc__)
    parser.add_argument("--width", type=int, default=1440, help="of the window, in pixels")
    parser.add_argument("--into", type=Path, default=HERE, help="folder for the pictures")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as store,
        served(VLINTERPRET_CACHE=store) as server,
        launched() as browser,
    ):
        for scheme in ("light", "dark"):
            take_all(browser, server.url, scheme, options.width, options.into)


def take_all(browser: Browser, url: str, scheme: str, width: int, folder: Path) -> None:
    """Every page in one color scheme."""
    with visitor(browser, width, scheme) as context:
        page = context.new_page()
        for title, query in SHOWN.items():
            # On the map of hidden states nothing may be on its way.
            page.emulate_media(reduced_motion="reduce" if title == "Hidden states" else None)
            page.goto(visit.address(url, title) + query)
            visit.wait_for(page, title)
            picture = whole(page, width)
            save(picture, folder / f"{title.lower().replace(' ', '-')}-{scheme}.webp")
            if FIRST[:2] == (title, scheme):
                save(picture.crop((0, 0, width, FIRST[2])), folder / "first.webp")


def whole(page: Page, width: int) -> Image.Image:
    """The page in a window that is high enough for it."""
    page.set_viewport_size({"width": width, "height": 900})
    needed = page.get_by_test_id("stMain").evaluate("main => main.scrollHeight") - FOOT
    page.set_viewport_size({"width": width, "height": max(900, min(TALLEST, needed))})
    page.evaluate("() => document.fonts.ready.then(() => undefined)")
    return Image.open(io.BytesIO(page.screenshot()))


def save(picture: Image.Image, file: Path) -> None:
    """As WebP, which keeps each below a quarter of a megabyte."""
    picture.save(file, quality=QUALITY, method=6)


if __name__ == "__main__":
    main()

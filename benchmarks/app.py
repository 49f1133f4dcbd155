"""The app with a visitor whose page carries clocks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from tests.browser import Server, launched, served, visitor

CLOCK = Path(__file__).with_name("clock.js")


@contextmanager
def running(store: Path) -> Iterator[tuple[Server, Page]]:
    """A fresh server that keeps traces in this folder, and a visitor in a fresh browser."""
    settings = {"VLINTERPRET_CACHE": str(store), "VLINTERPRET_STORE_UPLOADS": "1"}
    with launched() as browser, served(**settings) as server, visitor(browser) as context:
        yield server, with_clocks(context.new_page())


def with_clocks(page: Page) -> Page:
    """The page, timed from its next load on."""
    page.add_init_script(path=CLOCK)
    return page

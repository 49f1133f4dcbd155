"""From the pointer's movement to the linked view's answer on the screen."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.app import running, with_clocks
from benchmarks.figure import Figure, spread
from tests import visit
from tests.browser import ROOT, launched, served, settled, visitor
from tests.pages import linked_view_alone

HOVERS = 60  # over words, and as many over patches
GRID = 8, 6  # the worked example's patches, across and down
LONG_GRID = 26, 20  # those of the long trace's view of the whole picture
AIMS = {"median": 16, "p95": 33}  # milliseconds: one frame, two frames
# The sentence names what is pointed at, so it tells an answer from what was there before.
LISTEN = """() => {
  const said = clock.root("linked_view").querySelector(".sentence");
  let last = 0;
  clock.delays = [];
  document.addEventListener("pointermove", ({ timeStamp }) => {
    const before = said.textContent;
    const mine = ++last;
    clock.when(() => mine !== last || said.textContent !== before)
      .then((at) => mine === last && clock.delays.push(at - timeStamp));
  }, true);
}"""
# Those that are in sight: a long text is scrolled.
WORDS = """() => [...clock.root("linked_view").querySelectorAll(".words")].flatMap((list) => {
  const sight = list.getBoundingClientRect();
  return [...list.querySelectorAll(".word[data-token]")].map((word) => word.getBoundingClientRect())
    .filter(({ width, top, bottom }) => width && top > sight.top - 4 && bottom < sight.bottom + 4)
    .map(({ left, right, top, bottom }) => [(left + right) / 2, (top + bottom) / 2]);
})"""
PICTURE = """() => {
  const { left, top, width, height } = clock.root("linked_view").querySelector("canvas.map")
    .getBoundingClientRect();
  return [left, top, width, height];
}"""


def figures() -> Iterator[Figure]:
    """From the event's own timestamp to after the frame that shows it.

    On the worked example, and on a decoder of 2,000 tokens.
    """
    with tempfile.TemporaryDirectory() as store, running(store) as (server, page):
        visit.arrive(page, server.url, "Attention")
        page.evaluate(LISTEN)
        yield from _pointing(page, GRID, "")
    yield from _long()


def _long() -> Iterator[Figure]:
    """A decoder of 2,000 tokens: rows and columns are worked out in the browser."""
    script = Path(linked_view_alone.__file__)
    with (
        launched() as browser,
        served(script, PYTHONPATH=str(ROOT)) as server,
        visitor(browser) as context,
    ):
        page = with_clocks(context.new_page())
        page.goto(f"{server.url}/?subject=long")
        page.locator('.view[aria-busy="false"]').wait_for()
        settled(page)
        page.evaluate(LISTEN)
        yield from _pointing(page, LONG_GRID, ", 2,000 tokens")
        page.get_by_text("is looked at by", exact=True).click()
        settled(page)
        yield from _pointing(page, LONG_GRID, ", 2,000 tokens, who looks at it")
        page.locator('[data-choice="head"] select').select_option("null")
        settled(page)
        yield from _pointing(page, LONG_GRID, ", 2,000 tokens, mean of 24 heads")


def _pointing(page: Page, grid: tuple[int, int], where: str) -> Iterator[Figure]:
    for what, places in (("word", page.evaluate(WORDS)), ("patch", _patches(page, grid))):
        delays = _delays(page, places)
        yield from spread(f"pointer on a {what}{where} → painted", delays, "ms", **AIMS)


def _patches(page: Page, grid: tuple[int, int]) -> list[tuple[float, float]]:
    """The patches' centres on the screen."""
    left, top, width, height = page.evaluate(PICTURE)
    columns, rows = grid
    return [
        (left + (column + 0.5) / columns * width, top + (row + 0.5) / rows * height)
        for row in range(rows)
        for column in range(columns)
    ]


def _delays(page: Page, places: Sequence[tuple[float, float]]) -> list[float]:
    """Point at these places in turn, again and again, waiting for the answer each time."""
    page.evaluate("clock.delays = []")
    for i in range(HOVERS):
        page.mouse.move(*places[i % len(places)])
        page.wait_for_function("count => clock.delays.length === count", arg=i + 1)
    return page.evaluate("clock.delays")

"""From the pointer's movement to the linked view's answer on the screen."""

import tempfile
from collections.abc import Iterator, Sequence

from playwright.sync_api import Page

from benchmarks.app import running
from benchmarks.figure import Figure, spread
from tests import visit

HOVERS = 60  # over words, and as many over patches
GRID = 8, 6  # the worked example's patches, across and down
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
WORDS = """() => [...clock.root("linked_view").querySelectorAll(".word")].map((word) => {
  const { left, right, top, bottom } = word.getBoundingClientRect();
  return [(left + right) / 2, (top + bottom) / 2];
})"""
PICTURE = """() => {
  const { left, top, width, height } = clock.root("linked_view").querySelector("canvas.map")
    .getBoundingClientRect();
  return [left, top, width, height];
}"""


def figures() -> Iterator[Figure]:
    """On the worked example; from the event's own timestamp to after the frame that shows it."""
    with tempfile.TemporaryDirectory() as store, running(store) as (server, page):
        visit.arrive(page, server.url, "Attention")
        page.evaluate(LISTEN)
        for what, places in (("word", page.evaluate(WORDS)), ("patch", _patches(page))):
            delays = _delays(page, places)
            yield from spread(f"pointer on a {what} → painted", delays, "ms", **AIMS)


def _patches(page: Page) -> list[tuple[float, float]]:
    """The patches' centres on the screen."""
    left, top, width, height = page.evaluate(PICTURE)
    columns, rows = GRID
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

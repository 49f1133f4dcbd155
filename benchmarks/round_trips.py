"""From a click that the server must answer to the answer on the screen, with the model loaded."""

import tempfile
from collections.abc import Iterator

from playwright.sync_api import Page

from benchmarks.app import running
from benchmarks.figure import Figure, spread
from tests import visit

CLICKS = 30
WATCH = """(wanted) => {
  const isNamed = () =>
    [...document.querySelectorAll("[data-testid=stMain] h3")].some((h) => h.textContent === wanted);
  clock.answered = clock.when(isNamed);
  clock.finished = clock.when(() => isNamed() && clock.isIdle());
}"""
READ = """Promise.all([clock.answered, clock.finished])
  .then(([answered, finished]) => [answered - clock.clicked, finished - clock.clicked])"""


def figures() -> Iterator[Figure]:
    """Clicks on cells of the head map after an analysis."""
    with tempfile.TemporaryDirectory() as store, running(store) as (server, page):
        visit.arrive(page, server.url)
        visit.ask(page, "is there a red heart?")
        visit.expect_in_address(page, question="is there a red heart?")
        visit.turn_to(page, "Heads")
        delays = [_delay(page, i % 6, (3 * i + 1) % 8) for i in range(CLICKS)]
    answered, finished = zip(*delays, strict=True)
    yield from spread("click on a head → its details painted", answered, "ms", median=60)
    yield from spread("click on a head → the whole page up to date", finished, "ms")


def _delay(page: Page, layer: int, head: int) -> tuple[float, float]:
    """Milliseconds until the head's name is there, and until the server has nothing to add."""
    page.evaluate(WATCH, f"Layer {layer + 1}, head {head + 1}")
    visit.head_cell(page, layer, head).click()
    delays = page.evaluate(READ)
    visit.wait_for(page, "Heads")
    return delays

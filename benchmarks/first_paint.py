"""Cold start: from starting the server to what a first visitor sees."""

import tempfile
import time
from collections.abc import Iterator

from benchmarks.app import running
from benchmarks.figure import Figure, median_and_most

REPEATS = 5
HEADING = "() => document.querySelector('[data-testid=stMain] h1')"
EXAMPLE = "() => clock.root('summary')?.querySelector('.answers li')"


def figures() -> Iterator[Figure]:
    """A fresh server process and a fresh browser each time; starting the browser is not counted."""
    starts, headings, examples = zip(*(_start() for _ in range(REPEATS)), strict=True)
    yield from median_and_most("server process started → it answers", starts, "s")
    yield from median_and_most("... → first paint (heading)", headings, "s", aim=2)
    yield from median_and_most("... → the worked example painted", examples, "s")


def _start() -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory() as store, running(store) as (server, page):
        answers = time.time() - server.started
        page.goto(server.url, wait_until="commit")
        seen = [
            page.evaluate(f"clock.when({there}).then((at) => performance.timeOrigin + at)") / 1000
            for there in (HEADING, EXAMPLE)
        ]
        return answers, *(moment - server.started for moment in seen)

"""From the click on Analyse to each view painted: new to the server, and from the disk store."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import numpy as np
from playwright.sync_api import Page

from benchmarks.app import running
from benchmarks.figure import Figure
from tests import visit

REPEATS = 3  # for each view, each time another question
FIRST = "is the sky blue?"
QUESTIONS = [
    f"is there a {color} {shape}?"
    for color, shape in product(("red", "green", "blue"), ("star", "heart", "moon", "circle"))
]
# For each page: its component, what differs there between questions, what is there when drawn.
VIEWS = {
    "Overview": ("summary", ".tokens", ".answers li"),
    "Heads": ("head_map", ".grid", '.cell[aria-selected="true"]'),
    "Attention": ("linked_view", ".words", '.view[aria-busy="false"]'),
    "Hidden states": ("state_map", ".words", ".waiting[hidden]"),
}
WATCH = """([key, content, drawn]) => {
  const shown = () => clock.root(key)?.querySelector(content)?.textContent;
  const before = shown();
  clock.forwardDone = null;
  clock.painted = clock.when(() => clock.root(key)?.querySelector(drawn) && shown() !== before);
}"""
READ = "clock.painted.then((at) => [clock.clicked, clock.forwardDone, at])"


def figures() -> Iterator[Figure]:
    """A photograph with questions that this server, and then its store, has (not) seen."""
    with tempfile.TemporaryDirectory() as store:
        with _visit(store) as page:
            total, _ = _timed(page, "Overview", FIRST)
            yield Figure("first Analyse of a fresh server → overview (loads the model)", total, "s")
            yield from _new(page)
        with _visit(store) as page:
            yield from _stored(page)


def _new(page: Page) -> Iterator[Figure]:
    for view, questions in _asked().items():
        visit.turn_to(page, view)
        totals, after = zip(*(_timed(page, view, question) for question in questions), strict=True)
        if None in after:
            raise RuntimeError("the app no longer says when a forward pass is over")
        name = view.lower()
        yield Figure(f"Analyse → {name}: new picture or question", float(np.median(totals)), "s")
        yield Figure(
            f"... of that after the forward pass ({name})", float(np.median(after)), "s", 1
        )


def _stored(page: Page) -> Iterator[Figure]:
    for view, questions in _asked().items():
        visit.turn_to(page, view)
        totals, after = zip(*(_timed(page, view, question) for question in questions), strict=True)
        if any(after):
            raise RuntimeError("the store did not give back what the server had put there")
        yield Figure(f"Analyse → {view.lower()}: from the store", float(np.median(totals)), "s", 1)


def _asked() -> dict[str, list[str]]:
    """Each view's own questions."""
    return {view: QUESTIONS[i * REPEATS : (i + 1) * REPEATS] for i, view in enumerate(VIEWS)}


@contextmanager
def _visit(store: str) -> Iterator[Page]:
    """A fresh server on this store, a visitor who has just chosen the photograph."""
    with running(store) as (server, page):
        visit.arrive(page, server.url)
        visit.upload(page, visit.PHOTOGRAPH.read_bytes())
        page.get_by_role("button", name="Analyse").wait_for()
        yield page


def _timed(page: Page, view: str, question: str) -> tuple[float, float | None]:
    """Seconds from the click on Analyse, and from the end of the forward pass if there was one."""
    page.evaluate(WATCH, VIEWS[view])
    visit.ask(page, question)
    clicked, forward_done, painted = page.evaluate(READ)
    visit.wait_for(page, view)
    after = None if forward_done is None else (painted - forward_done) / 1000
    return (painted - clicked) / 1000, after

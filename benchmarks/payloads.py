"""What goes over the wire: scripts, messages, attention and hidden states."""

import tempfile
from collections.abc import Iterator

from playwright.sync_api import Page

from benchmarks.app import running
from benchmarks.figure import Figure
from tests import visit
from vl_core.datasets.gallery import WORKED_EXAMPLE

SCRIPTS = """() => performance.getEntriesByType("resource")
  .filter(({ name }) => new URL(name).pathname.endsWith(".js"))
  .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)"""
BLOBS = "[...globalThis.__vl.blobs].map(([key, bytes]) => [key, bytes.length])"


def figures() -> Iterator[Figure]:
    """One visit to all pages with the worked example, nothing cached in the browser."""
    yield Figure("a trace's file", WORKED_EXAMPLE.stat().st_size / 1e3, "kB")
    with tempfile.TemporaryDirectory() as store, running(store) as (server, page):
        visit.arrive(page, server.url)
        yield from _page(page, "overview, first visit", (0, 0))
        for title in visit.PAGES[1:]:
            before = _sent(page)
            visit.turn_to(page, title)
            yield from _page(page, f"{title.lower()}, in addition", before)
        yield from _blobs(dict(page.evaluate(BLOBS)))


def _sent(page: Page) -> tuple[int, int]:
    """Bytes of scripts and of messages so far."""
    return page.evaluate(SCRIPTS), page.evaluate("clock.bytes")


def _page(page: Page, name: str, before: tuple[int, int]) -> Iterator[Figure]:
    scripts, messages = (now - then for now, then in zip(_sent(page), before, strict=True))
    yield Figure(f"{name}: scripts", scripts / 1e3, "kB")
    yield Figure(f"{name}: messages", messages / 1e3, "kB")


def _blobs(sizes: dict[str, int]) -> Iterator[Figure]:
    """Within the messages: keys are analysis/stack/layer/..., analysis/states/... and others."""
    layers: dict[str, int] = {}
    for key, size in sizes.items():
        _, _, place = key.split("/", 2) if key.count("/") > 1 else ("", "", "")
        layer = place.split("/")[0]
        if layer.isdigit():
            layers[layer] = layers.get(layer, 0) + size
    yield Figure("attention, one layer", max(layers.values()) / 1e3, "kB")
    yield Figure(f"attention, whole ({len(layers)} layers)", sum(layers.values()) / 1e3, "kB")
    states = sum(size for key, size in sizes.items() if "/states/" in key)
    yield Figure("map of hidden states", states / 1e3, "kB")

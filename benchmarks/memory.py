"""How much memory the whole server takes at its peak."""

import tempfile
from collections.abc import Iterator

from benchmarks import machine
from benchmarks.app import running
from benchmarks.figure import Figure
from tests import visit

PATIENCE = 600_000  # milliseconds: the first UMAP of a process compiles itself
UMAP_IS_THERE = "[...globalThis.__vl.blobs.keys()].some((key) => key.includes('/umap/'))"


def figures() -> Iterator[Figure]:
    """A visit with questions about a scene and a photograph to all pages, then UMAP."""
    with tempfile.TemporaryDirectory() as store, running(store) as (server, page):
        visit.arrive(page, server.url)
        yield Figure("peak memory after the first paint", machine.peak(server.process), "MB")
        visit.ask(page, "is there a red heart?")
        visit.expect_in_address(page, question="is there a red heart?")
        visit.upload(page, visit.PHOTOGRAPH.read_bytes())
        visit.ask(page, "what color is the roof?")
        visit.expect_in_address(page, question="what color is the roof?")
        for title in visit.PAGES[1:]:
            visit.turn_to(page, title)
        yield Figure(
            "... after two analyses and all pages", machine.peak(server.process), "MB", 1000
        )
        page.get_by_role("radio", name="UMAP").click()
        page.wait_for_function(UMAP_IS_THERE, timeout=PATIENCE)
        yield Figure("... after a UMAP projection", machine.peak(server.process), "MB", 1000)

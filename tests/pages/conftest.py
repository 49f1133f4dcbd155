"""What the tests of the pages share."""

import os

import pytest

from pages.shared import requests
from tests.browser import CHROMIUM, launched, visitor

# A scene whose first question is short: the tiny models of these tests read few tokens.
DRAWN = 1_916_208_103


@pytest.fixture(autouse=True)
def drawn_scene(monkeypatch):
    """Whoever draws a new scene in these tests draws the same one each time."""
    monkeypatch.setattr(requests, "new_seed", lambda: DRAWN)


@pytest.fixture(scope="module")
def browser():
    """One browser for all tests of a file; they are skipped where there is none, but not in CI.

    No longer than for a file: while it is open, nothing else can use asyncio in this thread.
    """
    if CHROMIUM is None:
        reason = "no Chromium on the search path: nothing was tried in a browser"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with launched() as opened:
        yield opened


@pytest.fixture(scope="module")
def context(browser):
    """One visitor for all tests of a file."""
    with visitor(browser) as opened:
        yield opened

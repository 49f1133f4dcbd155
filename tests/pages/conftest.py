"""What the browser tests of the pages share."""

import os

import pytest

from tests.browser import CHROMIUM, launched, visitor


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

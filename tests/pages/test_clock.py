"""Who waits for an analysis sees what is being done, and seconds that pass by themselves."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import ROOT, complaints, served, settled
from tests.pages import waiting_alone as alone

pytestmark = pytest.mark.browser
SECONDS = "() => getComputedStyle(document.querySelector('.waited')).getPropertyValue('--waited')"


def test_seconds_pass_while_the_server_is_busy(context):
    """The browser counts them; one line says what is being done, and all goes at the end."""
    with served(Path(alone.__file__), PYTHONPATH=str(ROOT)) as server:
        page = context.new_page()
        found = complaints(page)
        page.goto(server.url)
        shown = page.get_by_test_id("stMain")
        expect(shown.get_by_text("step 2 of 5")).to_be_visible()
        expect(shown.get_by_text("step 1 of 5")).to_have_count(0)
        first = int(page.evaluate(SECONDS))
        page.wait_for_timeout(2000)
        assert 0 <= first <= 3
        assert int(page.evaluate(SECONDS)) - first in {1, 2, 3}
        content = "() => getComputedStyle(document.querySelector('.waited'), '::after').content"
        assert page.evaluate(content) == 'counter(waited) " s"'
        settled(page)
        expect(shown.get_by_text("of 5")).to_have_count(0)
        expect(page.locator(".waited")).to_have_count(0)
        assert found == []

"""Who waits for an analysis sees what is being done, and seconds that pass by themselves."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import ROOT, complaints, served, settled
from tests.pages import waiting_alone as alone

pytestmark = pytest.mark.browser
# What is counted, and for how many milliseconds the browser has been counting.
COUNTED = """() => {
  const clock = document.querySelector(".waited");
  const seconds = Number(getComputedStyle(clock).getPropertyValue("--waited"));
  return [seconds, clock.getAnimations()[0].currentTime];
}"""
ENOUGH = f"() => ({COUNTED})()[0] >= 2"


def test_seconds_pass_while_the_server_is_busy(context, tmp_path):
    """The browser counts them; one line says what is being done, and all goes at the end."""
    settings = {"PYTHONPATH": str(ROOT), alone.FOLDER: str(tmp_path)}
    with served(Path(alone.__file__), **settings) as server:
        page = context.new_page()
        found = complaints(page)
        page.goto(server.url)
        shown = page.get_by_test_id("stMain")
        expect(shown.get_by_text("step 1 of 2")).to_be_visible()
        (tmp_path / "1").touch()
        expect(shown.get_by_text("step 2 of 2")).to_be_visible()
        expect(shown.get_by_text("step 1 of 2")).to_have_count(0)
        page.wait_for_function(ENOUGH)
        seconds, milliseconds = page.evaluate(COUNTED)
        assert 0 <= milliseconds / 1000 - seconds + 0.001 < 1.002  # rounding apart
        content = "() => getComputedStyle(document.querySelector('.waited'), '::after').content"
        assert page.evaluate(content) == 'counter(waited) " s"'
        (tmp_path / "2").touch()
        settled(page)
        expect(shown.get_by_text("of 2")).to_have_count(0)
        expect(page.locator(".waited")).to_have_count(0)
        assert found == []

"""A visit to the hidden states page of the real app, in a real browser."""

import pytest
from playwright.sync_api import expect

from tests import visit
from tests.browser import complaints, served

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The app, with a disk store of its own."""
    with served(VLINTERPRET_CACHE=str(tmp_path_factory.mktemp("store"))) as server:
        yield server.url


def test_a_followed_token_stays_when_the_map_changes_and_stands_in_the_link(context, url):
    """A word and a layer are chosen on the map; another fit and a new visit show them again."""
    page = context.new_page()
    found = complaints(page)
    visit.arrive(page, url, "Hidden states")
    words = page.locator(".st-key-state_map .words button")
    words.filter(has_text="color").click()
    page.locator(".st-key-state_map .layer").fill("4")
    visit.expect_in_address(page, tokens="3", state="4")
    expect(page.get_by_role("heading", name="What lies nearest to 'color'?")).to_be_visible()

    page.get_by_role("radio", name="Each layer alone").click()
    visit.expect_in_address(page, fit="layers", tokens="3", state="4")
    expect(page.locator(".st-key-state_map .subject")).to_have_text(
        "Nearest to color, after layer 4"
    )

    other = context.new_page()
    other.goto(page.url)
    visit.wait_for(other, "Hidden states")
    expect(other.locator(".st-key-state_map .state-name")).to_have_text("after layer 4")
    pressed = other.locator('.st-key-state_map .words button[aria-pressed="true"]')
    expect(pressed).to_have_text(["color"])
    assert found == []

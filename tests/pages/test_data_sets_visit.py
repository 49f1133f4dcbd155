"""A visit to the data sets of the real app, in a real browser: from the list into a candidate."""

import pytest
from playwright.sync_api import expect

from pages.shared import scene_sets
from tests import visit
from tests.browser import complaints, served, settled

pytestmark = pytest.mark.browser
LOADED = 180_000  # milliseconds that the model may take to load on a busy machine


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The app, with a disk store of its own, in which no scenes are yet."""
    with served(VLINTERPRET_CACHE=str(tmp_path_factory.mktemp("store"))) as server:
        yield server.url


def test_a_candidate_is_looked_into_and_switched_with_the_views_following(context, url):
    """Choose an item, look inside its second candidate, point at its words, go on to the third."""
    page = context.new_page()
    found = complaints(page)
    visit.arrive(page, url, "Data sets")
    page.locator(visit.DRAWN["Data sets"]).nth(3).click()
    heading = page.get_by_role("heading", level=3).filter(has_text="4 · ")
    expect(heading).to_be_visible()
    scored = page.locator(".st-key-option_4")
    expect(scored).to_contain_text("share", timeout=LOADED)
    picture = page.get_by_role("img", name="The picture with boxes around [1]")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0

    page.locator(".st-key-option_2").get_by_role("button", name="Look inside").click()
    visit.expect_in_address(page, set=scene_sets.CHOICES, item="4", asked="1", option="2")
    expect(page.locator(".st-key-option_2")).to_contain_text("on show")

    visit.turn_to(page, "Attention")
    visit.words(page).nth(1).click()  # the second word of the question, behind [CLS]
    visit.expect_in_address(page, tokens="3")
    bar = page.locator(".st-key-set_bar")
    expect(bar).to_contain_text("item 4 · Q→A, candidate 2 of 4")
    kept = {name: visit.in_address(page, name) for name in ("layer", "head")}
    before = visit.words(page).all_text_contents()
    bar.get_by_role("button", name="Next candidate").click()
    visit.expect_in_address(page, option="3", tokens="3", **kept)
    settled(page)
    visit.wait_for(page, "Attention")
    assert visit.words(page).all_text_contents() != before

    visit.turn_to(page, "Data sets")
    expect(heading).to_be_visible()
    expect(page.locator(".st-key-option_3")).to_contain_text("on show")
    assert found == []

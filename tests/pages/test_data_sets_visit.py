"""A visit to the data sets of the real app, in a real browser: from the list into a candidate."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from pages.shared.data_sets import scene_sets
from tests import visit
from tests.browser import complaints, served, settled, visitor

pytestmark = pytest.mark.browser
LOADED = 180_000  # milliseconds that the model may take to load on a busy machine


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The app, with a disk store of its own, in which no scenes are yet."""
    with served(VLINTERPRET_CACHE=str(tmp_path_factory.mktemp("store"))) as server:
        yield server.url


def test_while_a_set_is_opened_its_progress_stands_in_the_place_of_the_last_ones_items(
    context, url
):
    """At some moment there is the one and not the other."""
    page = context.new_page()
    found = complaints(page)
    visit.arrive(page, url, "Data sets")
    expect(page.locator(".st-key-set_figures")).to_be_visible(timeout=LOADED)
    page.locator(".st-key-set_name input").click()
    page.get_by_role("option", name=scene_sets.SOURCES).click()
    page.wait_for_function(
        """() => document.querySelector('[data-testid="stProgress"]')
              && !document.querySelector('.st-key-set_items')
              && !document.querySelector('.st-key-set_figures')""",
        polling=20,
    )
    expect(page.locator(".st-key-set_cards")).to_be_visible(timeout=LOADED)
    assert found == []


def test_a_candidate_is_looked_into_and_switched_with_the_views_following(context, url):
    """Choose an item, look inside its second candidate, point at its words, go on to the third."""
    page = context.new_page()
    found = complaints(page)
    visit.arrive(page, url, "Data sets")
    page.locator(visit.DRAWN["Data sets"]).nth(3).click()
    heading = page.get_by_role("heading", level=3).filter(has_text="4 · ")
    expect(heading).to_be_visible()
    scored = page.locator(".st-key-option_4")
    expect(scored).to_contain_text("%", timeout=LOADED)
    settled(page)
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


def at_scored_item(page: Page, url: str) -> None:
    """Go to the fourth item, which is square, and wait for its scores."""
    visit.arrive(page, url, "Data sets")
    page.locator(visit.DRAWN["Data sets"]).nth(3).click()
    expect(page.get_by_role("heading", level=3).filter(has_text="4 · ")).to_be_visible()
    expect(page.locator(".st-key-option_4")).to_contain_text("%", timeout=LOADED)
    settled(page)


def rows(found: Locator) -> list[list[dict[str, float]]]:
    """Where these lie on the page, those that begin at the same height (by 2 pixels) together."""
    lines: list[list[dict[str, float]]] = []
    for box in (one.bounding_box() for one in found.all()):
        if lines and abs(lines[-1][0]["y"] - box["y"]) <= 2:
            lines[-1].append(box)
        else:
            lines.append([box])
    return lines


def bottom(box: dict[str, float]) -> float:
    """Where it ends."""
    return box["y"] + box["height"]


def test_candidates_are_seen_with_their_picture_and_so_is_the_way_on(browser, url):
    """In a window of 1440 x 900, without scrolling; the fields above are on one line."""
    with visitor(browser) as context:
        page = context.new_page()
        at_scored_item(page, url)
        [labels] = rows(page.locator(".st-key-set_filters [data-testid=stWidgetLabel]"))
        assert len(labels) == 3
        picture = page.locator(".st-key-set_picture img").bounding_box()
        options = [page.locator(f".st-key-option_{n}").bounding_box() for n in (1, 2, 3, 4)]
        assert all(one["x"] >= picture["x"] + picture["width"] for one in options)
        assert bottom(options[3]) <= 900

        page.locator(".st-key-option_2").get_by_role("button", name="Look inside").click()
        expect(page.locator(".st-key-set_views a")).to_have_count(4)
        settled(page)
        [links] = rows(page.locator(".st-key-set_views a"))
        assert len(links) == 4
        heading = page.get_by_role("heading", level=3).filter(has_text="4 · ").bounding_box()
        assert heading["y"] < links[0]["y"]
        assert bottom(links[0]) <= page.locator(".st-key-set_picture").bounding_box()["y"]
        assert page.locator(".st-key-option_4").bounding_box()["y"] <= 850


def test_in_a_narrow_window_a_click_in_the_list_changes_something_in_sight(browser, url):
    """The list keeps to its box; candidates stand below the picture, their buttons together."""
    with visitor(browser, width=800) as context:
        page = context.new_page()
        at_scored_item(page, url)
        heading = page.get_by_role("heading", level=3).filter(has_text="4 · ").bounding_box()
        assert bottom(heading) <= 900
        picture = page.locator(".st-key-set_picture img").bounding_box()
        option = page.locator(".st-key-option_1")
        assert option.bounding_box()["y"] >= bottom(picture)
        [buttons] = rows(option.get_by_role("button"))
        assert len(buttons) == 2


def test_cards_of_sources_are_alike(browser, url):
    """In a row all are of one height, with their pictures and buttons at one height."""
    with visitor(browser) as context:
        page = context.new_page()
        visit.arrive(page, url, "Data sets")
        page.locator(".st-key-set_name input").click()
        page.get_by_role("option", name=scene_sets.SOURCES).click()
        cards = page.locator(".st-key-set_cards [class*=st-key-option_]")
        expect(cards).to_have_count(8)
        expect(cards.nth(7)).to_contain_text("Pin")
        settled(page)
        for picture in cards.locator("img").all():
            picture.evaluate("image => image.decode()")
        lines = rows(cards)
        assert [len(line) for line in lines] == [3, 3, 2]
        assert all(len({round(one["height"]) for one in line}) == 1 for line in lines)
        buttons = cards.get_by_role("button", name=re.compile("Look inside|Pin"))
        assert [len(line) for line in rows(buttons)] == [6, 6, 4]
        assert len({round(one.bounding_box()["height"]) for one in cards.locator("img").all()}) == 1

"""Comparing two candidates of a data set's question: a real browser on a real server."""

import pytest
from playwright.sync_api import Page, expect

from tests import visit
from tests.browser import complaints, served, settled, visitor

pytestmark = pytest.mark.browser

MAPS = ("compare_a", "compare_b", "compare_difference")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The app, with a disk store of its own."""
    with served(VLINTERPRET_CACHE=str(tmp_path_factory.mktemp("store"))) as server:
        yield server.url


def go_to(page: Page, title: str) -> None:
    """A page by the menu at the top."""
    page.get_by_test_id("stTopNavLink").filter(has_text=title).click()
    settled(page)


def cell(page: Page, name: str, layer: int, head: int):
    """A head's cell on one of the three maps."""
    return page.locator(f'.st-key-{name} .cell[data-layer="{layer}"][data-column="{head}"]')


def cards(page: Page):
    """What A and B are."""
    return page.locator(".st-key-comparison_cards [data-testid=stGridCell]")


def test_two_candidates_of_a_scene_are_compared(url, browser):
    """Looked into, pinned, switched, compared, swapped; and a link shows somebody else the same."""
    with visitor(browser) as context:
        page = context.new_page()
        found = complaints(page)
        visit.arrive(page, url)
        look_into_a_candidate(page)
        pin_it_and_switch(page)
        compare_them(page)
        with visitor(browser, width=800, scheme="dark") as others:
            see_the_same(others.new_page(), page.url)
        swap(page)
        choose_another_candidate(page)
        assert found == []


def look_into_a_candidate(page: Page) -> None:
    """The third item of the set, its first candidate; the linked view shows it."""
    go_to(page, "Data sets")
    page.locator(".st-key-set_items [role=radiogroup] label").nth(2).click()
    expect(page.get_by_role("heading", name="3 ·")).to_be_visible()
    settled(page)
    page.locator(".st-key-option_1").get_by_role("button", name="Look inside").click()
    visit.expect_in_address(page, item="3", asked="1", option="1")
    visit.turn_to(page, "Attention")
    expect(page.locator(".st-key-set_bar")).to_contain_text("candidate 1 of 4")


def pin_it_and_switch(page: Page) -> None:
    """What is pinned stays as A while the next candidate is put on show."""
    visit.turn_to(page, "Overview")
    page.get_by_role("button", name="Pin for comparison").click()
    expect(page.locator(".st-key-pin_bar")).to_contain_text("Pinned as A")
    page.get_by_role("button", name="Next candidate").click()
    visit.expect_in_address(page, option="2")
    expect(page.locator(".st-key-set_bar")).to_contain_text("candidate 2 of 4")
    page.get_by_role("link", name="Compare with the pinned example").click()


def compare_them(page: Page) -> None:
    """Three maps under one selection, and the pictures of a word that both have."""
    expect(cards(page).nth(0)).to_contain_text("candidate 1 of 4")
    expect(cards(page).nth(1)).to_contain_text("candidate 2 of 4")
    layer, head = (2, 3) if visit.in_address(page, "layer") != "3" else (4, 6)
    cell(page, "compare_difference", layer, head).click()
    visit.expect_in_address(page, layer=str(layer + 1), head=str(head + 1))
    for name in MAPS:
        expect(cell(page, name, layer, head)).to_have_attribute("aria-selected", "true")
    name = page.get_by_role("strong").filter(has_text=f"Layer {layer + 1}, head {head + 1}")
    expect(name).to_be_visible()
    before = visit.in_address(page, "tokens")
    page.locator(".st-key-compare_words [role=toolbar] button").first.click()
    page.wait_for_url(lambda _: visit.in_address(page, "tokens") != before)
    settled(page)
    for name in ("A", "B", "difference"):
        expect(page.locator(f".st-key-compare_picture_{name} .js-plotly-plot")).to_be_visible()


def see_the_same(other: Page, link: str) -> None:
    """A and B, the selected head, the words; in a narrow window nothing is cut off."""
    other.goto(link)
    expect(cards(other).nth(0)).to_contain_text("candidate 1 of 4")
    expect(cards(other).nth(1)).to_contain_text("candidate 2 of 4")
    layer, head = (int(visit.in_address(other, name)) - 1 for name in ("layer", "head"))
    expect(cell(other, "compare_b", layer, head)).to_have_attribute("aria-selected", "true")
    settled(other)
    assert other.url == link
    main = other.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")


def swap(page: Page) -> None:
    """A and B change their places, and the head stays."""
    layer, head = (int(visit.in_address(page, name)) - 1 for name in ("layer", "head"))
    page.get_by_role("button", name="Swap A and B").click()
    visit.expect_in_address(page, option="1")
    expect(cards(page).nth(0)).to_contain_text("candidate 2 of 4")
    expect(cards(page).nth(1)).to_contain_text("candidate 1 of 4")
    expect(cell(page, "compare_a", layer, head)).to_have_attribute("aria-selected", "true")
    settled(page)


def choose_another_candidate(page: Page) -> None:
    """The others of the question are a click away; the one that is pinned is marked."""
    options = page.locator(".st-key-compare_option")
    expect(options.get_by_role("radio", name="2 (A)")).to_be_visible()
    expect(options.get_by_role("radio", name="✓")).to_have_count(1)
    options.get_by_role("radio", name="4").click()
    visit.expect_in_address(page, option="4")
    expect(cards(page).nth(1)).to_contain_text("candidate 4 of 4")
    settled(page)

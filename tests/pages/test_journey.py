"""A visitor's whole way through the app: a real browser on a real server."""

import hashlib

import pytest
from playwright.sync_api import Page, expect

from pages.shared import head_list, head_numbers
from tests import visit
from tests.browser import complaints, served, settled, visitor

pytestmark = pytest.mark.browser

# Everything in our components that ends outside the component's own box, by more than an outline.
OVERFLOWING = """
() => [...document.querySelectorAll("*")].filter((host) => host.shadowRoot).flatMap((host) => {
  const { left, right } = host.getBoundingClientRect();
  return [...host.shadowRoot.querySelectorAll("*")]
    .map((part) => [part, part.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.left < left - 6 || box.right > right + 6))
    .map(([part, box]) => `${part.tagName}.${part.className} from ${box.left} to ${box.right}`);
})
"""


# How many pixels the widest of these names takes in a table.
WIDEST = """
(table, names) => {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `14px ${getComputedStyle(table).fontFamily}`;
  return Math.max(...names.map((name) => pen.measureText(name).width));
}
"""
CELL_PADDING = 16


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The app, with a disk store of its own."""
    with served(VLINTERPRET_CACHE=str(tmp_path_factory.mktemp("store"))) as server:
        yield server.url


@pytest.fixture
def page(browser):
    """A new visitor's page, on which nothing may go wrong."""
    with visitor(browser) as context:
        opened = context.new_page()
        found = complaints(opened)
        yield opened
        assert found == []


def test_the_app_opens_on_the_worked_example(page, url):
    """Nobody has to do anything first: picture, question and five answers are there."""
    visit.arrive(page, url)

    assert visit.in_address(page, "example") == "star-by-moon"
    expect(page.locator(".st-key-summary .answers li")).to_have_count(5)


def test_a_photograph_with_a_question_is_seen_on_all_pages(page, url):
    """Upload, ask, choose a head, point at words and patches, pin: each shows what it should."""
    content = visit.PHOTOGRAPH.read_bytes()
    visit.arrive(page, url)
    visit.upload(page, content)
    visit.ask(page, "what color is the roof?")
    visit.expect_in_address(
        page, image=hashlib.sha256(content).hexdigest(), question="what color is the roof?"
    )
    expect(page.locator(".st-key-summary figcaption")).to_contain_text("640 × 427 pixels")

    visit.turn_to(page, "Heads")
    choose_another_head(page)
    layer, head = visit.in_address(page, "layer"), visit.in_address(page, "head")

    visit.turn_to(page, "Attention")
    expect_shown(page, layer, head)
    point_at_words_and_patches(page)
    pin_a_word(page)

    visit.turn_to(page, "Hidden states")
    pinned = page.locator('.st-key-state_map .words button[aria-pressed="true"]')
    expect(pinned).to_have_text("color")


def choose_another_head(page: Page) -> None:
    """Click a head that is not selected: its heading and the address follow."""
    layer, head = (2, 3) if visit.in_address(page, "layer") != "3" else (4, 6)
    visit.head_cell(page, layer, head).click()

    heading = f"Layer {layer + 1}, head {head + 1}"
    expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    visit.expect_in_address(page, layer=str(layer + 1), head=str(head + 1))


def expect_shown(page: Page, layer: str, head: str) -> None:
    """The linked view is at this layer and head, given as in the address."""
    view = page.locator(".st-key-linked_view")
    expect(view.locator(".layer-number")).to_have_text(layer)
    expect(view.locator('[data-choice="head"] input:checked')).to_have_value(str(int(head) - 1))


def point_at_words_and_patches(page: Page) -> None:
    """Each new thing under the pointer puts other pixels over the picture and is named."""
    said = page.locator(".st-key-linked_view .sentence")
    seen = visit.overlay(page)
    for word in ("color", "what"):
        visit.words(page).filter(has_text=word).hover()
        seen = visit.other_overlay(page, seen)
        expect(said).to_contain_text(word)
    for place, name in ((0.05, "Patch 1, 1"), (0.95, "Patch 5, 8")):
        visit.point_at_patch(page, place, place)
        seen = visit.other_overlay(page, seen)
        expect(said).to_contain_text(name)


def pin_a_word(page: Page) -> None:
    """A click keeps a word: it is marked, and its position stands in the address."""
    word = visit.words(page).filter(has_text="color")
    word.click()

    expect(word).to_have_attribute("aria-pressed", "true")
    visit.expect_in_address(page, tokens=str(int(word.get_attribute("data-token")) + 1))


def test_a_link_shows_somebody_else_the_same(page, url, browser):
    """What one visitor pinned in a gallery example, another one finds under the same address."""
    visit.arrive(page, url, "Heads")
    choose_another_head(page)
    visit.turn_to(page, "Attention")
    word = visit.words(page).first
    word.click()
    visit.expect_in_address(page, tokens=str(int(word.get_attribute("data-token")) + 1))
    pinned, link = word.inner_text(), page.url

    with visitor(browser) as context:
        other = context.new_page()
        other.goto(link)
        visit.wait_for(other, "Attention")

        expect_shown(other, visit.in_address(page, "layer"), visit.in_address(page, "head"))
        marked = other.locator('.st-key-linked_view .word[aria-pressed="true"]')
        expect(marked).to_have_text([pinned])
        assert other.url == link


def test_a_link_opens_its_page_in_a_fresh_server(page, tmp_path):
    """Frame and sidebar are there although nobody has opened the first page before."""
    with served(VLINTERPRET_CACHE=str(tmp_path)) as server:
        page.goto(f"{server.url}/heads?layer=4&head=2")
        visit.wait_for(page, "Heads")

        expect(visit.head_cell(page, 3, 1)).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("button", name="Analyse")).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_bad_file_gets_one_sentence_and_the_last_good_result_stays(page, url):
    """The picture on show and its address are those from before."""
    visit.arrive(page, url)
    before = page.url
    visit.upload(page, b"<script>alert(1)</script>", "holiday.png")

    expect(page.get_by_test_id("stAlert")).to_have_count(1)
    expect(page.get_by_test_id("stAlert")).to_contain_text("not a picture")
    settled(page)
    assert page.url == before
    expect(page.locator(".st-key-summary .answers li")).to_have_count(5)


@pytest.mark.parametrize("width", [800, 1440])
def test_no_table_of_heads_is_wider_than_its_place(browser, url, width):
    """Patterns and weights stand at the end of their rows: they would be cut off.

    A pattern's name would also be cut by a column as wide as the names that come first.
    """
    with visitor(browser, width=width) as context:
        page = context.new_page()
        visit.arrive(page, url, "Heads")
        tables = page.locator(".dvn-scroller")
        expect(tables).to_have_count(3)

        for table in tables.all():
            assert table.evaluate("table => table.scrollWidth <= table.clientWidth")
        names = [pattern.name for pattern in head_numbers.ALL_PATTERNS]
        widest = tables.first.evaluate(WIDEST, names)
        assert 100 < widest <= head_list.WIDTHS["pattern"] - CELL_PADDING


def test_every_page_fits_into_a_window_of_800_pixels(browser, url):
    """Nothing has to be scrolled sideways, and no component draws outside its own box."""
    with visitor(browser, width=800) as context:
        page = context.new_page()
        for title in visit.PAGES:
            visit.arrive(page, url, title)

            assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), title
            main = page.get_by_test_id("stMain")
            assert main.evaluate("main => main.scrollWidth <= main.clientWidth"), title
            assert page.evaluate(OVERFLOWING) == [], title

"""A visitor on the tour, one who takes the picture away, and one who asks with strange words."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from pages.shared.tour_steps import STEPS
from tests import visit
from tests.browser import complaints, served, settled, visitor

pytestmark = pytest.mark.browser
PAGES = {
    "pages/overview.py": "Overview",
    "pages/heads.py": "Heads",
    "pages/attention.py": "Attention",
    "pages/hidden_states.py": "Hidden states",
}
# Whether the picture of the linked view is one even gray.
IS_GRAY = """
(image) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 20, height: 20 });
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0, 20, 20);
  const wanted = [166, 166, 166, 255];
  const { data } = pen.getImageData(0, 0, 20, 20);
  return data.every((value, i) => Math.abs(value - wanted[i % 4]) < 3);
}
"""


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


def expect_stop(page: Page, number: int) -> None:
    """The page of this stop of the tour is on show, with what belongs to it."""
    step = STEPS[number - 1]
    box = page.locator(".st-key-tour")
    expect(box).to_contain_text(f"Step {number} of {len(STEPS)}: {step.title}")
    visit.wait_for(page, PAGES[step.page])
    visit.expect_in_address(page, tour=str(number), example=step.example)
    expect(page.get_by_test_id("stAlert").filter(has_text="went wrong")).to_have_count(0)


def expect_not_in_address(page: Page, name: str) -> None:
    """Wait until the address says nothing of this any more."""
    page.wait_for_url(lambda url: name not in parse_qs(urlsplit(url).query))


def test_the_tour_is_walked_to_its_end_and_the_browsers_own_back_goes_a_stop_back(page, url):
    """Each stop opens its page; what it speaks of is selected there."""
    visit.arrive(page, url)
    page.get_by_role("button", name="Take the tour").click()
    expect_stop(page, 1)
    for number in range(2, len(STEPS) + 1):
        page.get_by_role("button", name="Next").click()
        expect_stop(page, number)
        if STEPS[number - 1].page == "pages/heads.py":
            place = [int(visit.in_address(page, name)) - 1 for name in ("layer", "head")]
            expect(visit.head_cell(page, *place)).to_have_attribute("aria-selected", "true")

    page.go_back()
    expect_stop(page, len(STEPS) - 1)
    page.go_back()  # a change of page is two entries in the browser's history
    page.go_back()
    expect_stop(page, len(STEPS) - 2)
    shown = page.get_by_role("combobox", name="Shown to the model")
    expect(shown).to_have_value("A blank picture")

    page.get_by_role("button", name="End the tour").click()
    expect(page.locator(".st-key-tour")).to_have_count(0)
    expect_not_in_address(page, "tour")


def test_without_the_picture_one_sees_which_heads_were_about_it(page, url):
    """Change puts a blank picture there, on all pages, until the picture itself is wanted again."""
    page.goto(f"{url}/heads?statistic=grounding")
    visit.wait_for(page, "Heads")
    before = page.locator(".st-key-head_map .cell").all_inner_texts()

    page.get_by_role("radio", name="Change").click()
    visit.expect_in_address(page, view="change", instead="blank")
    expect(page.locator(".st-key-head_map .title")).to_have_text("Grounding, change")
    expect(page.locator(".st-key-head_map .unit")).to_contain_text("own picture − blank")
    note = page.locator(".st-key-in_place")
    expect(note).to_contain_text("The model is shown a blank picture and answers")
    settled(page)
    assert page.locator(".st-key-head_map .cell").all_inner_texts() != before

    visit.turn_to(page, "Attention")
    expect(note).to_be_visible()
    assert page.locator(".st-key-linked_view .stage img").evaluate(IS_GRAY)

    visit.turn_to(page, "Heads")
    page.get_by_role("button", name="Show the picture itself").click()
    expect(note).to_have_count(0)
    expect(page.locator(".st-key-head_map .title")).to_have_text("Grounding")
    settled(page)
    assert page.locator(".st-key-head_map .cell").all_inner_texts() == before
    expect_not_in_address(page, "instead")


def test_a_word_that_the_model_does_not_know_is_marked_and_the_answer_says_so(page, url):
    """It reads [UNK], which stands beside the word on each page where words stand."""
    visit.arrive(page, url)
    visit.ask(page, "what color is the zebra?")
    visit.expect_in_address(page, question="what color is the zebra?")

    card = page.locator(".st-key-summary")
    expect(card.locator(".doubt")).to_have_text(
        "It does not know “zebra” and reads [UNK] in its place: with any other unknown word the "
        "answer would be the same."
    )
    expect(card.locator(".token.unknown")).to_have_text(["zebra"])
    marked = [card.locator(".token.unknown")]
    visit.turn_to(page, "Attention")
    marked.append(page.locator(".st-key-linked_view .word.unknown"))
    expect(marked[-1]).to_have_text(["zebra"])
    assert "[UNK]" in marked[-1].evaluate("word => getComputedStyle(word, '::after').content")
    visit.turn_to(page, "Hidden states")
    expect(page.locator(".st-key-state_map .words .unknown")).to_have_text(["zebra"])

"""What a visitor does in the app: for the browser tests, the benchmarks and the screenshots.

A page is named by its title. Layers, heads and tokens count from 0.
The photograph is scikit-learn's sample picture china.jpg (by danielbuechele, Creative Commons
Attribution 2.0, 640 x 427 pixels), read from the installed package.
"""

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser import settled

PHOTOGRAPH = Path(find_spec("sklearn").origin).parent / "datasets" / "images" / "china.jpg"
PAGES = ("Overview", "Heads", "Attention", "Hidden states")
# What stands on each page as soon as it shows something.
DRAWN = {
    "Overview": ".st-key-summary .answers li",
    "Data sets": ".st-key-set_items label:has(input)",
    "Heads": '.st-key-head_map .cell[aria-selected="true"]',
    "Attention": '.st-key-linked_view .view[aria-busy="false"] .word',
    "Hidden states": ".st-key-state_map .words button",
    "Compare": '.st-key-compare_difference .cell[aria-selected="true"]',
}
HEAD_CELL = '.st-key-head_map .cell[data-layer="{layer}"][data-column="{head}"]'
OVERLAY = ".st-key-linked_view canvas.map"


def address(url: str, page: str) -> str:
    """Where a page of the app at that URL is found."""
    return url if page == "Overview" else f"{url}/{page.lower().replace(' ', '_')}"


def arrive(page: Page, url: str, title: str = "Overview") -> None:
    """Open the app at one of its pages and wait until it shows something."""
    page.goto(address(url, title))
    wait_for(page, title)


def turn_to(page: Page, title: str) -> None:
    """Go to another page by the menu at the top."""
    page.get_by_test_id("stTopNavLink").filter(has_text=title).click()
    wait_for(page, title)


def wait_for(page: Page, title: str) -> None:
    """Wait until a page is drawn to the end and the server has finished its run."""
    page.locator(DRAWN[title]).first.wait_for()
    settled(page)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def upload(page: Page, content: bytes, name: str = "photograph.jpg") -> None:
    """Choose a file of one's own in the sidebar."""
    page.get_by_role("combobox", name="Picture", exact=True).click()
    page.get_by_role("option", name="Upload", exact=True).click()
    file = FilePayload(name=name, mimeType="application/octet-stream", buffer=content)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(file)


def ask(page: Page, question: str) -> None:
    """Type a question about the picture in the sidebar and have it analysed."""
    page.get_by_label("Question", exact=True).fill(question)
    page.get_by_role("button", name="Analyse").click()


def in_address(page: Page, name: str) -> str:
    """What the address says about something, or nothing."""
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0]


def expect_in_address(page: Page, **wanted: str) -> None:
    """Wait until the address says all of this."""
    page.wait_for_url(
        lambda url: all(
            parse_qs(urlsplit(url).query).get(name) == [value] for name, value in wanted.items()
        )
    )


def head_cell(page: Page, layer: int, head: int) -> Locator:
    """A head's cell in the head map."""
    return page.locator(HEAD_CELL.format(layer=layer, head=head))


def words(page: Page) -> Locator:
    """The words of the linked view."""
    return page.locator(".st-key-linked_view .word.text")


def point_at_patch(page: Page, x: float, y: float) -> None:
    """Move the pointer to a place in the linked view's picture, in shares of its size."""
    box = page.locator(OVERLAY).bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])


def overlay(page: Page) -> str:
    """The pixels that lie over the linked view's picture."""
    return page.locator(OVERLAY).evaluate("canvas => canvas.toDataURL()")


def other_overlay(page: Page, before: str) -> str:
    """The pixels over the picture once they differ from what they were."""
    canvas = page.locator(OVERLAY).element_handle()
    page.wait_for_function(
        "([canvas, before]) => canvas.toDataURL() !== before", arg=[canvas, before]
    )
    return overlay(page)

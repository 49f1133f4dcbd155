"""The linked view for other models than an encoder: two streams, views, answers, large layers."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser import ROOT, complaints, served, settled
from tests.decoders import decoder_trace
from tests.pages import linked_view_alone as alone
from tests.pages.test_linked_view import MAP, choose, printed
from vl_core.trace import Stack

pytestmark = pytest.mark.browser

COLORED = "chip => chip.style.background !== ''"


@pytest.fixture(scope="module")
def url():
    """One server for all tests of this file."""
    with served(Path(alone.__file__), PYTHONPATH=str(ROOT)) as server:
        yield server.url


@pytest.fixture
def open_on(context, url):
    """The view alone with one of its subjects; nothing may go wrong on it."""
    opened, found = [], []

    def arrive(subject: str) -> Page:
        page = context.new_page()
        opened.append(page)
        found.append(complaints(page))
        page.goto(f"{url}/?subject={subject}")
        page.locator('.view[aria-busy="false"]').wait_for()
        settled(page)
        return page

    yield arrive
    for page in opened:
        page.close()
    assert found == [[] for _ in opened]


@pytest.fixture(scope="module")
def across():
    """Words that look at the tokens of a vision tower."""
    return decoder_trace().stacks["language<-vision"]


@pytest.fixture(scope="module")
def language():
    """A decoder that reads a picture in two views, and writes an answer."""
    return decoder_trace().stacks["language"]


def tokens_of(stack: Stack, texts: str) -> list[int]:
    """Positions of all tokens of that text among the queries."""
    return [i for i, text in enumerate(stack.queries.texts) if text == texts]


def word(page: Page, token: int, side: str = "queries"):
    """The chip of a token on one side."""
    return page.locator(f'[data-side="{side}"] .word[data-token="{token}"]')


def shares(page: Page) -> list[float]:
    """The percentages on screen, one for each kind of token or view, as shares."""
    texts = page.locator(".shares .numbers span").all_inner_texts()
    return [float(re.search(r"([\d.]+)\s%", text)[1]) / 100 for text in texts]


def expect_heard(page: Page, **wanted: object) -> None:
    """Wait until Python has been told all of this.

    While Streamlit draws anew, the line of the last run may stand beside that of this one.
    """
    for name, value in wanted.items():
        told = page.get_by_text(re.compile(rf"'{name}': {re.escape(repr(value))}"))
        expect(told.first).to_be_visible()


def test_words_are_asked_and_another_streams_patches_answer(open_on, across):
    """Words have no color and can be pinned; picture and class token show where they look."""
    page = open_on("across")
    star = tokens_of(across, "star")[0]
    before = page.locator("canvas.map").evaluate(MAP)
    word(page, star).hover()

    expect(page.locator(".sentence")).to_contain_text("'star' in layer 1, head 1 looks most at")
    assert page.locator("canvas.map").evaluate(MAP) != before
    row = across.weights[0, 0, star]
    wanted = [row[across.keys.is_image].sum(), row[across.keys.is_special].sum()]
    assert shares(page) == pytest.approx(wanted, abs=5.1e-4)
    assert not word(page, star).evaluate(COLORED)
    assert word(page, 0, "keys").evaluate(COLORED)

    word(page, star).click()
    expect_heard(page, tokens=(star,), keys=())


def test_patches_of_the_other_stream_tell_who_looks_at_them(open_on, across):
    """Turned round, patches are pinned and words take the colors; each side keeps its pins."""
    page = open_on("across")
    star = tokens_of(across, "star")[0]
    word(page, star).click()
    choose(page, "direction", "is looked at by")
    box = page.locator(".stage").bounding_box()
    patch = 1 + 4 * 1 + 2  # second row, third column of 3 x 4 patches in the middle of the picture
    place = {"x": box["width"] * (0.2 + 0.6 * 2.5 / 4), "y": box["height"] * 1.5 / 3}
    page.locator(".stage").click(position=place)

    expect_heard(page, tokens=(star,), keys=(patch,))
    sentence = page.locator(".sentence")
    expect(sentence).to_contain_text("Patch 2, 3 in layer 1, head 1 is looked at most by")
    assert word(page, star).evaluate(COLORED)
    column = across.weights[0, 0][:, patch]
    strongest = across.queries.texts[int(column.argmax())]
    expect(sentence).to_contain_text(f"'{strongest}' with {100 * column.max():.1f}")


def test_a_token_without_a_row_does_not_look(open_on, across):
    """In words, and with nothing lit up; among others it does not count."""
    page = open_on("across")
    page.locator(".fold").click()
    start = tokens_of(across, "<s>")[0]
    word(page, start).hover()

    sentence = page.locator(".sentence")
    expect(sentence).to_contain_text("<s> in layer 1, head 1 does not look at vision")
    assert shares(page) == [0, 0]
    star = tokens_of(across, "star")[0]
    word(page, start).click()
    word(page, star).click(modifiers=["Shift"])
    page.mouse.move(0, 0)
    row = across.weights[0, 0, star]
    assert shares(page)[0] == pytest.approx(row[across.keys.is_image].sum(), abs=5.1e-4)


def test_pointing_at_what_answers_reads_its_value(open_on, across):
    """The tip has the pinned word's weight on the patch under the pointer, which is not pinned."""
    page = open_on("across")
    star = tokens_of(across, "star")[0]
    word(page, star).click()
    expect_heard(page, tokens=(star,))
    box = page.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 6)

    expect(page.locator(".tip")).to_contain_text("Patch 1, 1: 'star' gives it")
    found = re.search(r"\(([\d.e-]+)\)", page.locator(".tip").inner_text())[1]
    assert float(found) == pytest.approx(float(across.weights[0, 0, star][1]), rel=0.006)
    page.mouse.down()
    page.mouse.up()
    expect(page.locator(".sentence")).to_contain_text("'star'")


def test_what_no_patch_covers_is_dark_and_said(open_on):
    """The tower sees the middle of the picture; the language stream all of it."""
    page = open_on("tower")
    expect(page.locator(".unseen")).to_contain_text("the model did not see it")
    alpha = (
        "canvas => [0.1, 0.5, 0.9].map(x => canvas.getContext('2d')"
        ".getImageData(x * canvas.width, canvas.height / 2, 1, 1).data.join())"
    )
    left, middle, right = page.locator("canvas.map").evaluate(alpha)
    assert left == right
    assert left.endswith(",184")
    assert middle != left

    page = open_on("decoder")
    expect(page.locator(".unseen")).to_be_hidden()


def test_a_tower_without_words_is_asked_by_its_patches(open_on):
    """With nothing pinned all its tokens are on show, and there is nothing to play."""
    page = open_on("tower")
    expect(page.locator(".sentence")).to_contain_text("The mean of all tokens")
    expect(page.locator(".play")).to_be_disabled()
    stack = decoder_trace().stacks["vision"]
    wanted = stack.weights[0, 0].mean(axis=0)[stack.keys.is_image].sum()
    assert shares(page)[0] == pytest.approx(wanted, abs=5.1e-4)


def test_a_stream_without_patches_shows_words_alone(open_on):
    """No picture, and no controls for one."""
    page = open_on("text")
    expect(page.locator(".stage")).to_be_hidden()
    expect(page.locator('[data-choice="patches"]')).to_be_hidden()
    expect(page.locator(".word.text")).to_have_count(5)


def test_one_view_of_the_picture_is_shown_at_a_time(open_on, language):
    """The control names the views, shares are told of each, patches are those of the one shown."""
    page = open_on("decoder")
    keys = language.keys
    views = np.array(keys.views)
    words = np.flatnonzero(keys.is_text)
    is_generated = keys.is_generated[words]
    row = language.weights[0, 0][words - is_generated].mean(axis=0)
    wanted = [
        row[keys.is_text].sum(),
        row[views == "whole picture"].sum(),
        row[views == "tiles"].sum(),
        row[keys.is_special].sum(),
    ]
    assert shares(page) == pytest.approx(wanted, abs=5.1e-4)
    assert printed(page, ".picture-scale .to") == pytest.approx(
        100 * max(row[views == "whole picture"].max(), row[keys.is_text].max() / 20), abs=0.051
    )

    for view, grid, name in (
        ("tiles", (4, 5), "Patch 4, 5 (tiles)"),
        ("whole picture", (2, 3), "Patch 2, 3 (whole picture)"),
    ):
        choose(page, "view", view)
        expect_heard(page, picture_view=view)
        box = page.locator(".stage").bounding_box()
        rows, columns = grid
        page.mouse.move(
            box["x"] + box["width"] * (columns - 0.5) / columns,
            box["y"] + box["height"] * (rows - 0.5) / rows,
        )
        expect(page.locator(".sentence")).to_contain_text(name)


def test_a_word_of_the_answer_is_shown_where_it_is_predicted_or_read(open_on, language):
    """Predicted by default; the sentence says which position that is."""
    page = open_on("decoder")
    star = tokens_of(language, "star")[-1]
    assert language.queries.is_generated[star]
    expect(page.locator(".group")).to_have_text("Answer")
    is_image = language.keys.is_image
    sentence = page.locator(".sentence")

    word(page, star).click()
    page.mouse.move(0, 0)
    expect(sentence).to_contain_text("The position that predicts 'star' (the one before it, which")
    expect(sentence).to_contain_text("reads 'red')")
    found = sum(shares(page)[1:3])
    assert found == pytest.approx(language.weights[0, 0, star - 1][is_image].sum(), abs=2e-3)

    choose(page, "position", "reads it")
    expect(sentence).to_contain_text("The position that reads 'star' in layer 1")
    found = sum(shares(page)[1:3])
    assert found == pytest.approx(language.weights[0, 0, star][is_image].sum(), abs=2e-3)
    expect_heard(page, position="reads")

    choose(page, "direction", "is looked at by")
    expect(page.locator('[data-choice="position"] input').first).to_be_disabled()
    expect(sentence).to_contain_text("'star' in layer 1, head 1 is looked at most by")


def test_words_of_the_question_have_one_position(open_on, language):
    """Nothing is shifted, and the sentence speaks of no position."""
    page = open_on("decoder")
    star = tokens_of(language, "star")[0]
    word(page, star).click()
    page.mouse.move(0, 0)

    expect(page.locator(".sentence")).to_contain_text("'star' in layer 1, head 1 looks most at")
    row = language.weights[0, 0, star]
    assert shares(page)[0] == pytest.approx(row[language.keys.is_text].sum(), abs=5.1e-4)


def test_many_specials_are_one_button_that_opens(open_on):
    """Ends of rows come out when it is pressed, and go again."""
    page = open_on("decoder")
    rows = page.locator(".word.special", has_text="<row>")
    expect(page.locator(".fold")).to_have_text("▸ 6 specials")
    expect(rows.first).to_be_hidden()

    page.locator(".fold").click()
    expect(rows.first).to_be_visible()
    page.locator(".fold").press("Enter")
    expect(rows.first).to_be_hidden()


def test_windows_of_a_tower_are_put_together(open_on):
    """Every patch is answered from its own window, every other one it cannot look at is dark."""
    page = open_on("windows")
    stack = alone.SUBJECTS["windows"]().stack
    choose(page, "picture", "hidden")
    box = page.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] / 6)

    expect(page.locator(".sentence")).to_contain_text("Patch 1, 1 in layer 1, head 1")
    first = int(np.flatnonzero(stack.queries.is_image)[0])
    row = stack.weights[0, 0, first]
    strongest = int(row.argmax())
    share = f"{100 * row[strongest]:.1f}"
    expect(page.locator(".sentence")).to_contain_text(share)


@pytest.fixture
def large_stack():
    """64 heads, of which the browser has one."""
    return alone.large_trace().stacks["language"]


def test_heads_that_stay_on_the_server_are_compared_all_the_same(open_on, large_stack):
    """Their values for the pinned token come from there; another head is fetched when chosen."""
    page = open_on("large")
    views = np.array(large_stack.keys.views)
    buttons = page.locator(".thumbnail")
    expect(buttons).to_have_count(64)

    row = large_stack.weights[0, :, 644]
    for head in (0, 17, 63):
        share = f"tiles {100 * row[head][views == 'tiles'].sum():.1f}"
        expect(buttons.nth(head)).to_have_attribute("title", re.compile(re.escape(share)))

    page.locator('[data-choice="head"] select').select_option(label="18")
    expect(page.locator(".sentence")).to_contain_text("head 18 looks most at")
    assert shares(page)[1] == pytest.approx(row[17][views == "whole picture"].sum(), abs=5.1e-4)


def test_a_mean_of_heads_that_are_not_there_reads_and_says_so(open_on, large_stack):
    """What is pinned is shown as the mean of all; pointing reads its values."""
    page = open_on("large")
    page.locator('[data-choice="head"] select').select_option(value="null")
    expect(page.locator(".sentence")).to_contain_text("mean of 64 heads")

    keys = large_stack.keys
    row = large_stack.weights[0, :, 644].mean(axis=0)
    assert shares(page)[0] == pytest.approx(row[keys.is_text].sum(), abs=5.1e-4)
    lights = page.locator('[data-choice="pointing"] input[value="lights"]')
    expect(lights).to_be_disabled()
    expect(page.locator(".play")).to_be_disabled()
    expect(page.locator('[data-choice="scaling"] input[value="shared"]')).to_be_disabled()
    expect(page.locator("#mean-layers")).to_be_disabled()

    word(page, 645).hover()
    expect(page.locator(".tip")).to_contain_text("gives it")
    expect(page.locator(".sentence")).to_contain_text("mean of 64 heads")


def test_long_texts_are_cut_and_whole_when_pointed_at(open_on):
    """Nothing runs past its column, in chips, sentence and title; the place tells texts apart."""
    page = open_on("undecodable")
    stack = alone.undecodable()
    last = len(stack.queries) - 2  # the last word: what ends the answer is no word

    chip = word(page, last)
    expect(chip).to_have_text(re.compile(r"^.{1,9}… \(3/4\)$"))
    count = len(stack.queries)
    title = f"{stack.queries.texts[last]}, position {last + 1} of {count}"
    expect(chip).to_have_attribute("title", title)
    chip.click()
    expect(page.locator(".sentence")).to_contain_text(re.compile(r"predicts '\S{1,7}… \(3/4\)'"))
    for part in (".all-heads h3", ".words", ".sentence"):
        fits = page.locator(part).evaluate("part => part.scrollWidth <= part.clientWidth + 1")
        assert fits, part

    alike = [word(page, token).get_attribute("title") for token in tokens_of(stack, "red")]
    assert alike == [f"red, position {token + 1} of {count}" for token in tokens_of(stack, "red")]
    assert word(page, tokens_of(stack, "left")[0]).get_attribute("title") == ""


def test_regions_of_a_detector_are_called_regions(open_on):
    """In the controls, under the picture and in the sentence; nowhere is a patch."""
    page = open_on("regions")

    expect(page.locator(".drawn legend")).to_have_text("Regions")
    expect(page.locator(".unseen")).to_have_text(re.compile("^No region covers the darkened part"))
    page.locator(".stage").hover(position={"x": 20, "y": 10})
    expect(page.locator(".sentence")).to_contain_text("Region 1 in layer 1")
    assert "atch" not in page.locator(".view").inner_text()


@pytest.mark.parametrize("subject", ["decoder", "tiles first"])
def test_a_view_has_the_color_of_its_kind(open_on, subject):
    """The whole picture in full, its tiles paler, whichever the model is shown first."""
    page = open_on(subject)

    tints = page.locator(".shares .bars .image").evaluate_all(
        "bars => bars.map((bar) => bar.style.getPropertyValue('--tint'))"
    )
    labels = page.locator(".shares .numbers .image").all_inner_texts()
    names = [re.match(r"\D+(?= [<\d])", label)[0] for label in labels]

    assert dict(zip(names, tints, strict=True)) == {"whole picture": "100%", "tiles": "55%"}

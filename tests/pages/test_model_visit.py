"""A visitor brings a model of their own, in a real browser: from its folder to its answer."""

import numpy as np
import pytest
from playwright.sync_api import expect

import vl_core
from pages.shared import requests
from tests import visit
from tests.browser import complaints, served, settled, visitor
from tests.families import test_llava
from vl_core.short_names import cut_name

pytestmark = pytest.mark.browser

LOADING = 180_000  # milliseconds a model may take on a busy machine, libraries included


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny decoder with a vision tower."""
    return test_llava.save(tmp_path_factory.mktemp("models") / "their-llava")


@pytest.fixture(scope="module")
def url(folder, tmp_path_factory):
    """An app whose owner allows folders, with a disk store of its own."""
    store = str(tmp_path_factory.mktemp("store"))
    with served(VLINTERPRET_CACHE=store, VLINTERPRET_FOLDERS="1") as server:
        yield server.url


@pytest.fixture(scope="module")
def trace(folder):
    """What the model does with the picture that the app opens on."""
    return vl_core.load(str(folder)).trace(requests.example(requests.worked_example(), None))


def type_model(page, name):
    """Type a model's name into the field and choose it."""
    field = page.get_by_role("combobox", name="Model", exact=True)
    field.click()
    field.fill(name)
    page.keyboard.press("Enter")
    settled(page)


def test_a_model_from_a_folder_is_loaded_asked_and_looked_through(browser, url, folder, trace):
    """Its generated answer stands on the pages; each word of it can be pointed at."""
    with visitor(browser) as context:
        page = context.new_page()
        found = complaints(page)
        visit.arrive(page, url)
        type_model(page, str(folder))
        expect(page.get_by_role("button", name="Analyse")).to_be_disabled()
        page.get_by_role("button", name="Load the model").click()
        expect(page.get_by_text(f"{folder} is loaded.")).to_be_visible(timeout=LOADING)
        page.get_by_role("button", name="Analyse").click()
        visit.expect_in_address(page, model=str(folder))

        visit.turn_to(page, "Attention")
        tokens = trace.streams["language"].tokens
        answer = np.flatnonzero(tokens.is_generated)
        assert answer.size
        expect(page.locator(".st-key-linked_view .group")).to_have_text("Answer")
        for token in answer:
            chip = page.locator(f'.st-key-linked_view .word[data-token="{token}"]')
            expect(chip).to_have_text(cut_name(tokens.texts[token]))

        before = visit.overlay(page)
        page.locator(f'.st-key-linked_view .word[data-token="{answer[-1]}"]').hover()
        visit.other_overlay(page, before)
        said = page.locator(".st-key-linked_view .sentence")
        expect(said).to_contain_text("osition that predicts")
        assert found == []


def test_a_name_that_is_nowhere_is_told_and_the_page_stays(browser, url):
    """One sentence below the field; the embedded model's answer is still there."""
    with visitor(browser) as context:
        page = context.new_page()
        visit.arrive(page, url)
        type_model(page, "/nowhere/at/all")

        expect(page.get_by_test_id("stAlert")).to_contain_text(
            "There is no folder '/nowhere/at/all'"
        )
        expect(page.get_by_role("button", name="Load the model")).to_have_count(0)
        expect(page.locator(".st-key-summary .answers li")).to_have_count(5)

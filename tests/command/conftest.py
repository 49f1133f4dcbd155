"""Small generated sets in the formats of VCR and WebQA, and a picture."""

import json

import pytest

from vl_core.datasets.gallery import GALLERY
from vl_core.datasets.scenes import UNSEEN_SEEDS, choice_items, sourced_items
from vl_core.datasets.scenes.vcr_files import write_vcr
from vl_core.datasets.scenes.webqa_files import write_webqa

ITEMS = 3


@pytest.fixture(scope="session")
def vcr(tmp_path_factory):
    """Multiple choice with labels, and as much without."""
    folder = tmp_path_factory.mktemp("scenes-vcr")
    items = choice_items(UNSEEN_SEEDS, 2 * ITEMS)
    write_vcr(folder, items[:ITEMS], "val")
    write_vcr(folder, items[ITEMS:], "test")
    return folder


@pytest.fixture(scope="session")
def webqa(tmp_path_factory):
    """Questions with five sources each."""
    folder = tmp_path_factory.mktemp("scenes-webqa")
    write_webqa(folder, sourced_items(UNSEEN_SEEDS, ITEMS, n_sources=5), "val")
    return folder


@pytest.fixture(scope="session")
def folder_of_words(tmp_path_factory):
    """A table with two candidates for its only picture."""
    folder = tmp_path_factory.mktemp("words")
    GALLERY[0].example().image.save(folder / "a.png")
    row = {"image": "a.png", "question": "is there a star?", "candidates": ["yes", "no"]}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    return folder / "rows.jsonl"


@pytest.fixture(scope="session")
def picture(tmp_path_factory):
    """One of the gallery's, as a file."""
    path = tmp_path_factory.mktemp("pictures") / "star.png"
    GALLERY[0].example().image.save(path)
    return path

"""A plain reader of WebQA's files, written from the data set's description alone."""

import base64
import io
import json
import re
from pathlib import Path

from PIL import Image

LABELED = {
    "Q": str,
    "A": list,
    "Qcate": str,
    "topic": str,
    "split": str,
    "Guid": str,
    "img_posFacts": list,
    "img_negFacts": list,
    "txt_posFacts": list,
    "txt_negFacts": list,
}
HIDDEN = {"Q": str, "A": list, "split": str, "Guid": str, "img_Facts": list, "txt_Facts": list}
IMAGE_FACT = {"image_id": int, "title": str, "caption": str, "url": str, "imgUrl": str}
TEXT_FACT = {"snippet_id": str, "title": str, "fact": str, "url": str}
CATEGORIES = ("text", "YesNo", "Others", "choose", "number", "color", "shape")


def read(folder: Path, split: str) -> dict:
    """The questions by Guid; every rule of the format is checked."""
    name = "WebQA_test.json" if split == "test" else "WebQA_train_val.json"
    told = json.loads((folder / name).read_text(encoding="utf-8"))
    for guid, question in told.items():
        assert re.fullmatch(r"[0-9a-f]{32}", guid)
        assert question["Guid"] == guid
        assert question["split"] == split
        check_fields(question)
    image_ids = [fact["image_id"] for one in told.values() for fact in image_facts(one)]
    assert sorted(image_ids) == list(range(30_000_000, 30_000_000 + len(image_ids)))
    assert len(offsets(folder)) == len(image_ids)
    return told


def check_fields(question):
    """Names, types and quotes; what a category says about the sources."""
    is_hidden = question["split"] == "test"
    fields = HIDDEN if is_hidden else LABELED
    if not is_hidden and question["Qcate"] != "text":
        fields = fields | {"Keywords_A": str}
    assert {name: type(value) for name, value in question.items()} == fields
    for text in (question["Q"], *question["A"], question.get("Keywords_A", '"-"')):
        assert re.fullmatch(r'"[^"]+"', text)
    for fact in image_facts(question):
        assert {name: type(value) for name, value in fact.items()} == IMAGE_FACT
    for fact in text_facts(question):
        assert {name: type(value) for name, value in fact.items()} == TEXT_FACT
        assert re.fullmatch(rf"{question['Guid']}_\d+", fact["snippet_id"])
    snippet_ids = [fact["snippet_id"] for fact in text_facts(question)]
    assert len(set(snippet_ids)) == len(snippet_ids)
    if not is_hidden:
        assert question["Qcate"] in CATEGORIES
        by_text = question["Qcate"] == "text"
        assert bool(question["txt_posFacts"]) == by_text
        assert bool(question["img_posFacts"]) != by_text


def image_facts(question):
    """All pictures of a question, gold or not."""
    names = ("img_Facts", "img_posFacts", "img_negFacts")
    return [fact for name in names for fact in question.get(name, [])]


def text_facts(question):
    """All texts of a question, gold or not."""
    names = ("txt_Facts", "txt_posFacts", "txt_negFacts")
    return [fact for name in names for fact in question.get(name, [])]


def offsets(folder):
    """The byte at which each line of pictures begins."""
    return [int(line) for line in (folder / "imgs.lineidx").read_bytes().splitlines()]


def picture(folder, image_id):
    """A picture by its number: one seek, one line."""
    with (folder / "imgs.tsv").open("rb") as file:
        file.seek(offsets(folder)[image_id % 10_000_000])
        found, encoded = file.readline().removesuffix(b"\n").split(b"\t")
    assert int(found) == image_id
    return Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)))

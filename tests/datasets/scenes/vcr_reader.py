"""A plain reader of VCR's files, written from the data set's description alone."""

import json
from pathlib import Path
from typing import NamedTuple

from PIL import Image

REQUIRED = {
    "objects": list,
    "img_fn": str,
    "metadata_fn": str,
    "question": list,
    "answer_choices": list,
    "rationale_choices": list,
    "annot_id": str,
    "img_id": str,
    "question_number": int,
    "movie": str,
    "match_fold": str,
    "match_index": int,
    "interesting_scores": list,
    "answer_likelihood": str,
}
LABELS = {
    "answer_label": int,
    "rationale_label": int,
    "question_orig": str,
    "answer_orig": str,
    "rationale_orig": str,
    "answer_match_iter": list,
    "rationale_match_iter": list,
    "answer_sources": list,
    "rationale_sources": list,
}


class Read(NamedTuple):
    """A line with what it points to."""

    line: dict
    image: Image.Image
    metadata: dict


def read(folder: Path, split: str) -> list[Read]:
    """All lines of a split, with their pictures; every rule of the format is checked."""
    images = folder / "vcr1images"
    found = []
    for text in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        metadata = json.loads((images / line["metadata_fn"]).read_text(encoding="utf-8"))
        with Image.open(images / line["img_fn"]) as picture:
            found.append(Read(line, picture.convert("RGB"), metadata))
        check_line(line, split)
        check_metadata(found[-1])
    return found


def check_line(line, split):
    """Fields and their types, tags, and what holds between labels, iterations and sources."""
    fields = REQUIRED if split == "test" else REQUIRED | LABELS
    assert {name: type(value) for name, value in line.items()} == fields
    assert line["annot_id"].startswith(f"{split}-")
    assert line["img_id"].startswith(f"{split}-")
    assert line["match_fold"].startswith(f"{split}-")
    assert line["answer_likelihood"] in ("unlikely", "possible", "likely")
    assert all(score in (-1, 0, 1) for score in line["interesting_scores"])
    assert line["img_fn"].split("/")[0] == line["metadata_fn"].split("/")[0]
    assert line["img_fn"].rpartition(".")[0] + ".json" == line["metadata_fn"]
    assert len(line["answer_choices"]) == len(line["rationale_choices"]) == 4
    for tokens in (line["question"], *line["answer_choices"], *line["rationale_choices"]):
        check_tokens(tokens, len(line["objects"]))
    if split != "test":
        check_labels(line, "answer")
        check_labels(line, "rationale")


def check_tokens(tokens, n_objects):
    """Words, and tags that hold objects by number from 0."""
    assert tokens
    for token in tokens:
        if isinstance(token, list):
            assert token
            assert all(type(tag) is int and 0 <= tag < n_objects for tag in token)
        else:
            assert type(token) is str
            assert " " not in token


def check_labels(line, part):
    """The right candidate is that of iteration 0, and comes from this line's own question."""
    label, iterations = line[f"{part}_label"], line[f"{part}_match_iter"]
    assert 0 <= label < 4
    assert sorted(iterations) == [0, 1, 2, 3]
    assert iterations[label] == 0
    assert len(line[f"{part}_sources"]) == 4
    assert line[f"{part}_sources"][label] == line["match_index"]
    assert original(line[f"{part}_choices"][label]) == line[f"{part}_orig"]
    assert original(line["question"]) == line["question_orig"]


def original(tokens):
    """As a worker typed it: objects by number from 1, no space before a mark."""
    said = ""
    for token in tokens:
        word = " and ".join(str(tag + 1) for tag in token) if isinstance(token, list) else token
        said += word if word in ("?", ".", ",") else f" {word}"
    return said.removeprefix(" ")


def check_metadata(one):
    """Boxes, polygons and names go with the objects; the size is that of the picture."""
    line, image, metadata = one
    assert set(metadata) == {"boxes", "segms", "names", "width", "height"}
    assert (metadata["width"], metadata["height"]) == image.size
    assert metadata["names"] == line["objects"]
    assert len(metadata["boxes"]) == len(metadata["segms"]) == len(line["objects"])
    for (left, top, right, bottom, score), polygons in zip(
        metadata["boxes"], metadata["segms"], strict=True
    ):
        assert 0 <= left < right <= image.width
        assert 0 <= top < bottom <= image.height
        assert 0 < score <= 1
        for polygon in polygons:
            assert len(polygon) >= 4
            assert all(left - 1e-6 <= x <= right + 1e-6 for x, _ in polygon)
            assert all(top - 1e-6 <= y <= bottom + 1e-6 for _, y in polygon)

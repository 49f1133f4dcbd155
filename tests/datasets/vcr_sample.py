"""VCR's files with content of our own, in the form that the data set's readme describes."""

import copy
import json
import zipfile
from pathlib import Path

from PIL import Image

from tests.builders import random_picture

MOVIE = "lsmdc_0000_INVENTED_MOVIE"
# Names have dots, dashes and an "@" in them, before the ending as well.
PICTURE = f"{MOVIE}/0000_INVENTED_MOVIE_00.00.01.000-00.00.03.000@0.jpg"
METADATA = PICTURE.removesuffix("jpg") + "json"
SIZE = (400, 300)
GIVEN_AWAY = (987_654, 876_543)  # numbers that nobody may be shown

LINE = {
    "movie": "0000_INVENTED_MOVIE",
    "objects": ["person", "pottedplant", "person", "dog", "dog"],
    "interesting_scores": [1, 0],
    "answer_likelihood": "likely",
    "img_fn": PICTURE,
    "metadata_fn": METADATA,
    "question_orig": "Why is 1 holding 4?",
    "answer_orig": "1 wants to calm 4 down.",
    "rationale_orig": "4 looks scared, and 1 and 3 are smiling.",
    "question": ["Why", "is", [0], "holding", [3], "?"],
    "answer_choices": [
        [[2], "is", "late", "."],
        [[0], "wants", "to", "calm", [3], "down", "."],
        ["They", "do", "n't", "know", "."],
        [[0], "'s", "cold", "."],
    ],
    "answer_label": 1,
    "answer_match_iter": [2, 0, 1, 3],
    "answer_sources": [17, GIVEN_AWAY[0], 8, 31],
    "rationale_choices": [
        [[3], "looks", "scared", ",", "and", [0, 2], "are", "smiling", "."],
        ["It", "is", "raining", "on", [1], "."],
        [[2], "has", "a", "map", "."],
        ["The", "clock", "shows", "noon", "."],
    ],
    "rationale_label": 0,
    "rationale_match_iter": [0, 3, 1, 2],
    "rationale_sources": [GIVEN_AWAY[1], 40, 2, 9],
    "img_id": "val-0",
    "question_number": 0,
    "annot_id": "val-0",
    "match_fold": "val-0",
    "match_index": 5,
}
FACTS = {
    "boxes": [
        [40.0, 30.5, 180.25, 299.0, 0.998],
        [-3.5, 200.0, 60.0, 310.0, 0.71],  # beyond two edges
        [210.0, 25.0, 330.0, 299.5, 0.981],
        [120.0, 150.0, 200.0, 260.0, 0.902],
        [405.0, 10.0, 420.0, 60.0, 0.55],  # not in the picture at all
    ],
    "segms": [
        [[[50, 40], [170, 42], [175, 290], [45, 295]]],
        [[[-3, 200], [60, 205], [30, 310]]],  # as its box
        [[[215, 30], [325, 35], [320, 290]], [[211, 26]]],
        [[[125, 155], [195, 160]], [[130, 250], [140, 252], [135, 258], [131, 255]]],
        [],
    ],
    "names": ["person", "pottedplant", "person", "dog", "dog"],
    "width": SIZE[0],
    "height": SIZE[1],
}
# What no line of the test split has.
LABELS = [
    name
    for name in LINE
    if name.endswith(("_label", "_orig", "_match_iter", "_sources"))
    or name in {"match_fold", "match_index", "answer_likelihood", "interesting_scores"}
]


def line(**changed):
    """A line of its own, with some fields exchanged; those that are None are left out."""
    found = copy.deepcopy(LINE) | changed
    return {name: value for name, value in found.items() if value is not None}


def without_labels(**changed):
    """The same as the test split has it."""
    return line(**dict.fromkeys(LABELS), **changed)


def write(folder: Path, lines=None, *, split="val", facts=FACTS, size=SIZE) -> Path:
    """A split and its one picture with metadata, as they are unpacked; returned is the folder."""
    images = folder / "vcr1images"
    (images / MOVIE).mkdir(parents=True, exist_ok=True)
    random_picture(size).save(images / PICTURE, quality=95)
    (images / METADATA).write_text(json.dumps(facts), encoding="utf-8")
    rows = [json.dumps(one) for one in lines or [line()]]
    (folder / f"{split}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def pack(folder: Path, top: str) -> None:
    """Put the pictures into a zip file, under a folder of this name or none, and remove them."""
    images = folder / "vcr1images"
    with zipfile.ZipFile(folder / "vcr1images.zip", "w") as file:
        for path in sorted(images.rglob("*.*")):
            file.write(path, top + path.relative_to(images).as_posix())
            path.unlink()
        for path in sorted(images.rglob("*"), reverse=True):
            path.rmdir()
    images.rmdir()


def picture(folder: Path) -> Image.Image:
    """The picture as it is."""
    return Image.open(folder / "vcr1images" / PICTURE).convert("RGB")

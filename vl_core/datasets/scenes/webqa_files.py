"""Questions with sources in WebQA's file format: a JSON file, and pictures that it names by number.

    FOLDER/WebQA_train_val.json    or WebQA_test.json
    FOLDER/imgs.tsv                on each line a picture's number, a tab, its PNG file in base64
    FOLDER/imgs.lineidx            the byte at which each of those lines begins

The format as published at github.com/WebQnA/WebQA. PNG keeps every pixel as it was rendered.
"""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from vl_core.datasets.scenes.sources import Source
from vl_core.datasets.scenes.task_sets import SourcedItem
from vl_core.datasets.whole_files import refuse_overwriting, whole_file

JSON = dict[str, Any]

FIRST_IMAGE_ID = 30_000_000

_ADDRESS = "https://scenes.invalid"  # sources must have one; under ".invalid" nothing is ever found
_HIDDEN = "TBD"  # WebQA's own word for what it does not tell


def write_webqa(
    folder: Path,
    items: Sequence[SourcedItem],
    split: str,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write the items as one split: "train", "val", or "test", which does not tell what is right.

    progress is told how many are written. Each file appears whole, the one with the questions
    last. A folder holds one split: picture numbers count from its start. Raises VLError if one of
    the files is there.
    """
    questions = folder / ("WebQA_test.json" if split == "test" else "WebQA_train_val.json")
    rows, offsets = folder / "imgs.tsv", folder / "imgs.lineidx"
    refuse_overwriting(questions, rows, offsets)
    folder.mkdir(parents=True, exist_ok=True)
    told: dict[str, JSON] = {}
    with whole_file(questions) as file:
        with whole_file(rows) as row_file, whole_file(offsets) as offset_file:
            pictures = _Pictures(row_file, offset_file)
            for number, item in enumerate(items):
                guid = _guid(item)
                told[guid] = _question(item, split, guid, pictures)
                if progress:
                    progress(number + 1)
        file.write(json.dumps(told).encode())


@dataclass
class _Pictures:
    """The two files of pictures, while they are written."""

    rows: BinaryIO
    offsets: BinaryIO
    n_written: int = 0

    def added(self, picture: Image.Image) -> int:
        """Write a picture; its number, which is that of its line modulo ten million."""
        image_id = FIRST_IMAGE_ID + self.n_written
        encoded = io.BytesIO()
        picture.save(encoded, "PNG")
        self.offsets.write(b"%d\n" % self.rows.tell())
        self.rows.write(b"%d\t%s\n" % (image_id, base64.b64encode(encoded.getvalue())))
        self.n_written += 1
        return image_id


def _guid(item: SourcedItem) -> str:
    """32 hexadecimal digits that change with anything in the question or its sources."""
    return hashlib.sha256(repr(item.asked).encode()).hexdigest()[:32]


def _question(item: SourcedItem, split: str, guid: str, pictures: _Pictures) -> JSON:
    asked = item.asked
    facts = [
        (one, _fact(one, f"{guid}_{place}", pictures)) for place, one in enumerate(asked.sources)
    ]
    told = {"Q": _quoted(asked.text), "split": split, "Guid": guid, **_listed(facts, split)}
    if split == "test":
        return told | {"A": [_quoted(_HIDDEN)]}
    told |= {"A": [_quoted(asked.sentence)], "topic": asked.place}
    if asked.by_text:
        return told | {"Qcate": "text"}  # WebQA gives these no key word
    return told | {"Qcate": asked.category, "Keywords_A": _quoted(asked.answer)}


def _listed(facts: Sequence[tuple[Source, JSON]], split: str) -> JSON:
    """The facts by what they are and, except in the test split, by whether they answer."""
    kinds = ("Facts",) if split == "test" else ("posFacts", "negFacts")
    lists: JSON = {f"{what}_{kind}": [] for what in ("img", "txt") for kind in kinds}
    for source, fact in facts:
        what = "txt" if source.scene is None else "img"
        lists[f"{what}_{kinds[0] if source.is_gold else kinds[-1]}"].append(fact)
    return lists


def _fact(source: Source, snippet_id: str, pictures: _Pictures) -> JSON:
    """A text, or a picture by its number; titles tell nothing that the text does not."""
    if source.scene is None:
        title = source.text.partition(" shows ")[0]
        url = f"{_ADDRESS}/{snippet_id}"
        return {"snippet_id": snippet_id, "title": title, "fact": source.text, "url": url}
    image_id = pictures.added(source.scene.render())
    return {
        "image_id": image_id,
        "title": source.text,
        "caption": source.text,
        "url": f"{_ADDRESS}/File:{image_id}.png",
        "imgUrl": f"{_ADDRESS}/{image_id}.png",
    }


def _quoted(text: str) -> str:
    """In literal double quotes, as WebQA keeps its texts."""
    return f'"{text}"'

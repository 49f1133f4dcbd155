"""Questions about scenes as a folder of pictures with a table, which `datasets.folder` reads.

FOLDER/metadata.jsonl         image, question, answer, boxes, id, category of each question
FOLDER/pictures/10000007.png
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vl_core.datasets.scenes.examples import as_example
from vl_core.datasets.scenes.layout import CANVAS
from vl_core.datasets.scenes.task_sets import QuestionItem
from vl_core.datasets.whole_files import refuse_overwriting, whole_file


def write_table(
    folder: Path,
    items: Sequence[QuestionItem],
    split: str,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write the items; the split "test" does not tell the answers.

    progress is told how many are written. The table comes last and appears whole. A folder holds
    one split. Raises VLError if there is a table already.
    """
    table = folder / "metadata.jsonl"
    refuse_overwriting(table)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    with whole_file(table) as file:
        for number, item in enumerate(items):
            file.write(json.dumps(_written(folder, item, split)).encode() + b"\n")
            if progress:
                progress(number + 1)


def _written(folder: Path, item: QuestionItem, split: str) -> dict[str, Any]:
    """The row of an item, once its picture is written."""
    example = as_example(item.scene, item.asked, CANVAS)
    name = f"pictures/{item.seed}.png"
    if example.image is not None:
        example.image.save(folder / name)
    row = {
        "image": name,
        "question": example.text,
        "boxes": [{"label": one.label, "box": one.box} for one in example.regions],
        "id": f"{split}-{item.seed}",
        "category": item.asked.type,
    }
    return row if split == "test" else row | {"answer": example.answer}

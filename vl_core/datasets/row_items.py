"""From a row of a table to an item; which columns are read stands in `rows`.

Of a box whose label stands in the text (as whole words, upper and lower case alike) the first such
words count as naming it. Four numbers that are no place in the picture are left out (see `boxes`).
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL import Image

from vl_core.counted import counted
from vl_core.datasets import boxes
from vl_core.datasets.boxes import Size
from vl_core.datasets.items import PLAIN, Asked, Item, Option
from vl_core.datasets.quoting import is_text, quoted, shortened
from vl_core.datasets.storage import Storage
from vl_core.errors import DatasetError, TextError, VLError
from vl_core.example import Example, Region, Task, clean_text, joined_parts
from vl_core.pictures import read_picture

Row = Mapping[str, Any]
Box = tuple[str, tuple[float, float, float, float]]  # label, edges

IMAGE = ("image", "file_name")
TEXT = ("question", "text", "caption")
CANDIDATES = "candidates"  # how an item is asked that has some

_KNOWN = {*IMAGE, *TEXT, CANDIDATES, "answer", "boxes", "id", "category"}
_LONGEST_FACT = 200  # characters


def item(row: Row, name: str, where: str, files: Storage) -> Item:
    """The item; its picture is read when an option's example is asked for.

    name: of a row without an id. where: in which file it stands, for messages. Raises TextError
    without a question and DatasetError for values that are not as `rows` tells.
    """
    text = clean_text(_words(row, TEXT))
    candidates = tuple(map(_candidate, _list(row, CANDIDATES)))
    right = _right(row.get("answer"), candidates)
    answer = candidates[right] if right is not None else _words(row, ("answer",)) or None
    source = _Source(where, partial(_picture, _first(row, IMAGE), files), _boxes(row), answer)
    options = tuple(
        Option(str(place), one, partial(source.example, (text, one)), source.left_out_at)
        for place, one in enumerate(candidates)
    )
    plain = (Option("0", text, partial(source.example, (text,)), source.left_out_at),)
    return Item(
        name=_words(row, ("id",)) or name,
        text=text,
        asked=(
            Asked(CANDIDATES, text, options, None if right is None else frozenset({right}))
            if candidates
            else Asked(PLAIN, text, plain),
        ),
        category=_words(row, ("category",)),
        answer=answer,
        facts=_facts(row) | boxes.fact(source.left_out_at(None)),
    )


@dataclass(frozen=True)
class _Source:
    """What the options of an item have in common. where: for messages."""

    where: str
    picture: Callable[[], bytes | None]
    boxes: tuple[Box, ...]
    answer: str | None

    def example(self, parts: Sequence[str]) -> Example:
        """The picture, with a question or with a question and a candidate."""
        text, breaks = joined_parts(parts)
        named = [Region(label, edges, _naming(label, text, breaks)) for label, edges in self.boxes]
        task: Task = "candidate" if breaks else "answer"
        try:
            picture = self._read()
            size = picture.size if isinstance(picture, Image.Image) else None
            regions = boxes.usable(named, size)
            return Example(picture, text, regions, self.answer, task=task, breaks=breaks)
        except VLError as error:
            raise type(error)(f"{self.where}: {error}") from error

    def _read(self) -> Image.Image | bytes | None:
        """The picture itself where boxes need its size; else its bytes, which Example reads."""
        content = self.picture()
        return read_picture(content) if content is not None and self.boxes else content

    def left_out_at(self, size: Size) -> tuple[str, ...]:
        """The boxes that are no place in a picture of this size; without one, in any."""
        return boxes.left_out(self.where, (Region(*box) for box in self.boxes), size)


def _naming(label: str, text: str, breaks: Sequence[int]) -> tuple[int, int] | None:
    """The first whole words of the text that are the label, within one of its parts."""
    pattern = rf"(?<!\w){re.escape(label)}(?!\w)"
    spans = (found.span() for found in re.finditer(pattern, text, re.IGNORECASE))
    within = (span for span in spans if not any(span[0] < place < span[1] for place in breaks))
    return next(within, None)


def _picture(value: object, files: Storage) -> bytes | None:
    """The bytes of the picture that a cell holds or names."""
    if callable(value):
        value = value()
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if value is None or isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise DatasetError(f"{quoted(value)} in the place of a picture's name.")
    if "://" in value:
        raise DatasetError(
            f"{shortened(value)} is an address, and nothing is downloaded. Give a file's name."
        )
    return files.read(value)


def _right(answer: object, candidates: Sequence[str]) -> int | None:
    """Which candidate the answer is, by its text or its number."""
    if not candidates or _is_missing(answer):
        return None
    said = str(answer)
    if said.strip() and clean_text(said) in candidates:
        return candidates.index(clean_text(said))
    number = said.removesuffix(".0")  # a column of numbers of which some are missing
    if not number.isdecimal() or int(number) >= len(candidates):
        raise DatasetError(
            f"the answer {quoted(said)} is none of the {counted(len(candidates), 'candidate')}, "
            "nor the number of one, counted from 0."
        )
    return int(number)


def _boxes(row: Row) -> tuple[Box, ...]:
    value = row.get("boxes")
    if isinstance(value, Mapping):  # lists side by side, as `datasets` keeps a list of dictionaries
        row = {"boxes": _side_by_side(value)}
    return tuple(_box(one, number) for number, one in enumerate(_list(row, "boxes")))


def _side_by_side(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not all(isinstance(column, list) for column in columns.values()):
        raise DatasetError(
            f"boxes is {quoted(dict(columns))}; a list is wanted, or lists of equal length under "
            "label and box."
        )
    rows = zip(*columns.values(), strict=False)
    return [dict(zip(columns, one, strict=True)) for one in rows]


def _candidate(value: object) -> str:
    """A text or a number as it reads."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DatasetError(f"{quoted(value)} among the candidates; texts or numbers are wanted.")
    try:
        return clean_text(str(value))
    except TextError as error:
        raise DatasetError("a candidate is empty. Give each one words.") from error


def _box(value: Any, number: int) -> Box:  # noqa: ANN401 whatever stands in a file
    label, edges = f"box {number + 1}", value
    if isinstance(value, Mapping):
        label, edges = clean_text(str(value.get("label") or label)), value.get("box")
    try:
        left, top, right, bottom = map(float, edges)
    except (TypeError, ValueError, OverflowError) as error:
        raise DatasetError(
            f'{quoted(edges)} in the place of a box; [left, top, right, bottom] or {{"label": ..., '
            '"box": [...]} is wanted.'
        ) from error
    return label, (left, top, right, bottom)


def _list(row: Row, name: str) -> Sequence[Any]:
    """What stands in a column of lists; nothing if it is empty."""
    value = row.get(name)
    if _is_missing(value):
        return ()
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{name} is no list in JSON: {error}.") from error
    if not isinstance(found, list):
        raise DatasetError(f"{name} is {quoted(found)}; a list is wanted.")
    return found


def _words(row: Row, names: Sequence[str]) -> str:
    """The first of these cells that is filled, in words; else nothing."""
    value = _first(row, names)
    if value is None:
        return ""
    name = next(name for name in names if row.get(name) is value)
    if callable(value):
        raise DatasetError(f"{name} holds bytes; a text is wanted. Save the column as strings.")
    if not isinstance(value, str | int | float):
        raise DatasetError(f"{name} holds {quoted(value)}; a text is wanted.")
    if not is_text(str(value)):
        raise DatasetError(f"{name} holds {quoted(value)}, which is no text in Unicode.")
    return str(value)


def _first(row: Row, names: Sequence[str]) -> Any:  # noqa: ANN401 whatever stands in a file
    return next((row[name] for name in names if not _is_missing(row.get(name))), None)


def _is_missing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _facts(row: Row) -> dict[str, str]:
    others = {name: value for name, value in row.items() if name not in _KNOWN}
    return {
        name: str(value)
        for name, value in others.items()
        if isinstance(value, str | int | float)
        and not _is_missing(value)
        and is_text(str(value))
        and len(str(value)) <= _LONGEST_FACT
    }

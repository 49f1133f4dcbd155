"""A table as a data set: each row an item.

    column                         what it holds
    image, file_name               the picture's name relative to the table; in Parquet and Arrow
                                   also its bytes, or {"bytes": ..., "path": ...}; empty for none
    question, text, caption        what is asked or said of it
    answer                         optional: the right answer; with candidates one of them, or its
                                   number from 0
    candidates                     optional: a list of texts to choose from
    boxes                          optional: a list of [left, top, right, bottom] in pixels of the
                                   upright picture, or of {"label": ..., "box": [...]}
    id, category                   optional: the item's name, and what it is counted to

Of several columns in one line of this list, the first that is filled counts. In CSV, lists are
written as JSON. Short values of other columns are kept as facts.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from vl_core.datasets.items import Item, placed
from vl_core.datasets.quoting import quoted, shortened
from vl_core.datasets.row_items import IMAGE, TEXT, Row, item
from vl_core.datasets.storage import Storage
from vl_core.errors import DatasetError, VLError

_TRIED = 20  # rows, to see which columns there are


@runtime_checkable
class Rows(Protocol):
    """Rows by number from 0; a large value may be a function that reads it."""

    @property
    def paths(self) -> Sequence[Path]:
        """The files that they are read from."""

    def __len__(self) -> int:
        """How many rows."""

    def __getitem__(self, number: int, /) -> Row:
        """The row of that number; raises DatasetError, with its place, if it is damaged."""

    def named(self, number: int, /) -> str:
        """Where that row stands, for messages."""


@dataclass(frozen=True)
class Table:
    """Items read off rows. files: the pictures that the rows name."""

    name: str
    kind: str
    rows: Rows
    files: Storage
    metadata: Mapping[str, Any]

    @property
    def paths(self) -> Sequence[Path]:
        """The files with the rows."""
        return self.rows.paths

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Item:
        place = placed(number, len(self))
        row, where = self.rows[place], self.rows.named(place)
        try:
            return item(row, str(place), where, self.files)
        except VLError as error:
            raise DatasetError(f"{where}: {error}") from error

    def __iter__(self) -> Iterator[Item]:
        return map(self.__getitem__, range(len(self)))


def check_table(rows: Rows, columns: Sequence[str], where: str) -> None:
    """Raise DatasetError unless there are rows, and columns for a picture and a text.

    Nor may two columns that are read have one name, or differ in capitals alone.
    """
    if not len(rows):
        raise DatasetError(f"{where} is empty. One row for each item is wanted.")
    _check_names(columns, where)
    if set(columns) & set(IMAGE) and set(columns) & set(TEXT):
        return
    raise DatasetError(
        f"{where} has the columns {shortened(', '.join(columns)) or '(none)'}. Wanted are the "
        f"picture's name in {_either(IMAGE)}, and what is asked or said of it in {_either(TEXT)}; "
        "rename them."
    )


def _check_names(columns: Sequence[str], where: str) -> None:
    counts = Counter(name.casefold() for name in columns)
    twice = [name for name in columns if counts[name.casefold()] > 1]
    if twice:
        raise DatasetError(
            f"{where} has {' and '.join(map(quoted, twice))} among its columns, and it cannot be "
            "told which is meant. Rename all but one."
        )


def first_columns(rows: Rows) -> list[str]:
    """The columns of the first rows, where each row names its own.

    Damaged rows are passed over; raises DatasetError if all of these are.
    """
    columns: dict[str, None] = {}
    damage = None
    for number in range(min(len(rows), _TRIED)):
        try:
            columns |= dict.fromkeys(rows[number])
        except DatasetError as error:
            damage = damage or error
    if damage and not columns:
        raise damage
    return list(columns)


def _either(names: Sequence[str]) -> str:
    *others, last = (f'"{name}"' for name in names)
    return f"{', '.join(others)} or {last}"

"""The rows of a CSV file by their number: opening notes where each begins, and keeps none."""

import csv
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vl_core.counted import counted
from vl_core.datasets.items import placed
from vl_core.errors import DatasetError

_HEAD_BYTES = 2**20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class CsvRows:
    """Rows as dictionaries of words, by the names in the first row; blank rows do not count.

    A cell in quotes may hold line breaks. Several threads may read at once. Raises DatasetError if
    the file cannot be read or its quotes do not match.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                _check_encoding(file, path.name)
                self.columns, self._starts, self._lines = _index(file, path.name)
        except OSError as error:
            raise DatasetError(f"{path.name} cannot be read: {error.strerror}.") from error

    @property
    def paths(self) -> tuple[Path, ...]:
        """The file itself."""
        return (self.path,)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> dict[str, str]:
        """The row of that number, from the end as -1; raises DatasetError if it is damaged."""
        place = placed(number, len(self))
        cells = self._cells(place)
        if len(cells) != len(self.columns):
            raise DatasetError(
                f"{self.named(place)} has {counted(len(cells), 'cell')} for "
                f"{counted(len(self.columns), 'column')}. Put cells that hold a comma in quotes."
            )
        return dict(zip(self.columns, cells, strict=True))

    def named(self, number: int) -> str:
        """Where that row begins, for messages: "line 8 of table.csv"."""
        return f"line {self._lines[number]} of {self.path.name}"

    def _cells(self, place: int) -> list[str]:
        start, end = map(int, self._starts[place : place + 2])
        try:
            # Opened anew for each row, so that no position is shared between threads.
            with self.path.open("rb", buffering=0) as file:
                file.seek(start)
                text = file.read(end - start).decode("utf-8")
            return next(csv.reader([text], strict=True))
        except OSError as error:
            raise DatasetError(f"{self.path.name} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise DatasetError(f"{self.named(place)} is no UTF-8. Save it as UTF-8.") from error


def _check_encoding(file: BinaryIO, name: str) -> None:
    """Raise DatasetError for what Excel calls Unicode text, and for line ends of the old Mac."""
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DatasetError(f"{name} is UTF-16. Save it as UTF-8 (CSV UTF-8).")
    if b"\r" in head and b"\n" not in head:
        raise DatasetError(
            f"{name} ends its lines with a carriage return alone. Save it with the line ends of "
            "Unix or Windows."
        )


def _index(file: BinaryIO, name: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The names of the columns; where each row begins, and the last one ends; its line from 1."""
    source = _Lines(file)
    reader = csv.reader(source, strict=True)
    line = 1
    try:
        columns = [column.strip() for column in next(reader, [])]
        starts, lines = array("q", [source.offset]), array("q")
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                lines.append(line)
                starts.append(source.offset)
            else:
                starts[-1] = source.offset
            line = reader.line_num + 1
    except csv.Error as error:
        raise DatasetError(
            f"The row that begins in line {line} of {name} is no CSV: {error}. See to the quotes "
            "there: each must be closed, and one within a cell written twice."
        ) from error
    return columns, np.array(starts, np.int64), np.array(lines, np.int64)


class _Lines(Iterator[str]):
    """The lines of a file, and how many bytes were read; bad characters are told of later."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.offset = 0

    def __next__(self) -> str:
        line = self._file.readline()
        if not line:
            raise StopIteration
        if not self.offset:
            self.offset = len(line)
            return line.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "replace")
        self.offset += len(line)
        return line.decode("utf-8", "replace")

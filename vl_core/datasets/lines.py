"""JSONL files of any length: one JSON object a line, found by its number and read when asked for.

    lines = Lines(Path("val.jsonl"))
    lines[7]["question"]

Opening looks for line ends only, at the speed of the disk; the index takes 24 bytes a line.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vl_core.datasets.items import placed
from vl_core.errors import DatasetError

MOST_LINE_BYTES = 16 * 2**20  # thousands of times the longest line of a published set
_BLOCK_BYTES = 4 * 2**20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NEWLINE, _BLANK = ord("\n"), ord(" ")


class Lines:
    """The objects of a JSONL file by their number from 0; blank lines do not count.

    Several threads may read at once. Raises DatasetError if the file cannot be read, or if a line
    is too long for a JSONL file; a line that is no JSON object is told of when it is asked for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._numbers, self._starts, self._ends = _index(file, path.name)
        except OSError as error:
            raise DatasetError(f"{path.name} cannot be read: {error.strerror}.") from error

    @property
    def paths(self) -> tuple[Path, ...]:
        """The file itself."""
        return (self.path,)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """The object of that number, from the end as -1; raises DatasetError if it is damaged."""
        place = placed(number, len(self))
        try:
            value = json.loads(self._bytes(place))
        except UnicodeDecodeError as error:
            raise DatasetError(
                f"{self.named(place)} is no UTF-8: {error.reason} at its byte {error.start + 1}. "
                "Save the file as UTF-8."
            ) from error
        except (ValueError, RecursionError) as error:
            raise DatasetError(
                f"{self.named(place)} is no JSON: {error}. Each line must hold one whole object."
            ) from error
        if not isinstance(value, dict):
            raise DatasetError(
                f"{self.named(place)} holds a JSON {type(value).__name__}; an object is wanted, as "
                'in {"image": "a.jpg", "question": "..."}.'
            )
        return value

    def named(self, number: int) -> str:
        """Where that object stands, for messages: "line 8 of val.jsonl", counted as editors do."""
        return f"line {self._numbers[number]} of {self.path.name}"

    def _bytes(self, place: int) -> str:
        start, end = int(self._starts[place]), int(self._ends[place])
        try:
            # Opened anew for each line, so that no position is shared between threads.
            with self.path.open("rb", buffering=0) as file:
                file.seek(start)
                return file.read(end - start).decode("utf-8")
        except OSError as error:
            raise DatasetError(f"{self.path.name} cannot be read: {error.strerror}.") from error


def _index(file: BinaryIO, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number in the file from 1, start and end in bytes of each line that is not blank."""
    parts = []
    lines_before, offset = 0, _length_of_mark(file)
    for block in _blocks(file, name):
        starts, ends = _line_edges(block)
        filled = _is_filled(block, starts, ends)
        numbers = lines_before + 1 + np.flatnonzero(filled)
        parts.append(np.stack([numbers, offset + starts[filled], offset + ends[filled]]))
        lines_before += len(starts)
        offset += len(block)
    numbers, starts, ends = np.concatenate([np.empty((3, 0), np.int64), *parts], axis=1)
    return numbers, starts, ends


def _length_of_mark(file: BinaryIO) -> int:
    """Some editors write a byte order mark first, which is no JSON; it is passed over."""
    if file.read(len(_BYTE_ORDER_MARK)) == _BYTE_ORDER_MARK:
        return len(_BYTE_ORDER_MARK)
    file.seek(0)
    return 0


def _blocks(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The file in blocks of whole lines."""
    rest = b""
    while read := file.read(_BLOCK_BYTES):
        block = rest + read
        whole = block.rfind(b"\n") + 1
        if whole:
            yield block[:whole]
        rest = block[whole:]
        if len(rest) > MOST_LINE_BYTES:
            raise DatasetError(
                f"{name} has a line of more than {MOST_LINE_BYTES // 2**20} MiB, so it is no JSONL "
                "file. Write one JSON object on each line."
            )
    if rest:
        yield rest


def _line_edges(block: bytes) -> tuple[np.ndarray, np.ndarray]:
    newlines = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE)
    ends = newlines if block.endswith(b"\n") else np.append(newlines, len(block))
    return np.concatenate([[0], ends[:-1] + 1]), ends


def _is_filled(block: bytes, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which lines hold anything; only those that begin with a blank are looked at one by one."""
    # An empty line begins with its own newline, which counts as a blank as well.
    filled = np.frombuffer(block, np.uint8)[starts] > _BLANK
    for line in np.flatnonzero(~filled):
        filled[line] = bool(block[starts[line] : ends[line]].strip())
    return filled

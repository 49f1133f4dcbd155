"""WebQA's pictures: one to a line of a file of some fifty gigabytes, found by the line's offset."""

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from vl_core.datasets.storage import MOST_BYTES
from vl_core.errors import DatasetError

ROWS, OFFSETS = "imgs.tsv", "imgs.lineidx"
IDS_FROM = 10_000_000  # a picture's number modulo this one is that of its line
_MOST_OFFSET_BYTES = 16 * 2**20  # WebQA's own takes some five million
_MOST_ROW_BYTES = MOST_BYTES * 4 // 3 + 64  # base64 takes four bytes for three; number and tab


@dataclass(frozen=True)
class Pictures:
    """The pictures of a folder; offsets: of each line of imgs.tsv, in bytes."""

    folder: Path
    offsets: Int64[np.ndarray, "line"] = field(repr=False)

    def __len__(self) -> int:
        return len(self.offsets)

    def content(self, number: int) -> bytes:
        """The encoded file of the picture of that number (an image_id).

        Raises DatasetError if there is none or if its line is not as it should be.
        """
        line = number % IDS_FROM
        if line >= len(self):
            raise DatasetError(
                f"Picture {number} has no line in {OFFSETS}, which has {len(self)}. The files are "
                "not those of these questions, or cut short."
            )
        return _decoded(number, self._row(number, int(self.offsets[line])))

    def _row(self, number: int, offset: int) -> bytes:
        try:
            with (self.folder / ROWS).open("rb") as file:
                file.seek(offset)
                row = file.readline(_MOST_ROW_BYTES)
        except OSError as error:
            raise _damaged(number, f"its place, byte {offset}, cannot be read") from error
        if not row:
            raise _damaged(number, f"its place, byte {offset}, is beyond the end of {ROWS}")
        if len(row) == _MOST_ROW_BYTES and not row.endswith(b"\n"):
            raise _damaged(number, f"the line at byte {offset} is too long")
        return row.removesuffix(b"\n")  # the last one may lack it


def opened_pictures(folder: Path) -> Pictures | None:
    """The pictures in a folder, None without the two files; raises DatasetError for bad offsets."""
    if not (folder / ROWS).is_file() or not (folder / OFFSETS).is_file():
        return None
    try:
        return Pictures(folder, _offsets(folder / OFFSETS))
    except (OSError, ValueError, OverflowError) as error:
        raise DatasetError(
            f"{OFFSETS} is not a list of offsets, one whole number on each line. Download it again."
        ) from error


def _offsets(path: Path) -> Int64[np.ndarray, "line"]:
    """Raises ValueError or OverflowError for what is not one whole number on each line."""
    with path.open("rb") as file:
        content = file.read(_MOST_OFFSET_BYTES + 1)
    if len(content) > _MOST_OFFSET_BYTES:
        raise ValueError(f"{path.name} takes more than {_MOST_OFFSET_BYTES} bytes")
    return np.array([int(line) for line in content.splitlines()], np.int64)


def _decoded(number: int, row: bytes) -> bytes:
    found, tab, encoded = row.rstrip(b"\r").partition(b"\t")
    if not tab or found != b"%d" % number:
        raise _damaged(number, f"its line begins with {found[:20]!r} and not with its number")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise _damaged(number, "what its line holds is not base64") from error


def _damaged(number: int, wrong: str) -> DatasetError:
    return DatasetError(
        f"Picture {number}: {wrong}. {ROWS} and {OFFSETS} must be of one and the same download."
    )

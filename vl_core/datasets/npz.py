"""Arrays out of an .npz file that anyone may have written: no pickle, no surprise in memory."""

import math
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from vl_core.datasets.storage import READ_IN_PIECES
from vl_core.errors import DatasetError

MOST_BYTES = 512 * 2**20  # of one array, unpacked

_HEADERS: dict[tuple[int, int], Callable[..., Any]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Those of these arrays that the file holds; others in it are not looked at.

    Raises DatasetError, without the file's name, if it is damaged, or if an array is of Python
    objects or takes more than MOST_BYTES.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            there = set(archive.namelist())
            return {name: _array(archive, name) for name in names if f"{name}.npy" in there}
    except (*_UNREADABLE, ValueError) as error:
        raise DatasetError(f"it is damaged, or no .npz file: {error}.") from error
    except OSError as error:
        raise DatasetError(f"it cannot be read: {error.strerror}.") from error


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type not in READ_IN_PIECES:
        raise DatasetError(f"{name} is packed in a way that is not read. Use numpy.savez.")
    with archive.open(entry) as file:
        _check_header(name, file)
    with archive.open(entry) as file:
        found: np.ndarray = npy.read_array(file, allow_pickle=False)
    return found


def _check_header(name: str, file: Any) -> None:  # noqa: ANN401 zipfile's own kind of file
    """What is to come is told first: it is checked before any of it is read."""
    read = _HEADERS.get(npy.read_magic(file))
    if read is None:
        raise DatasetError(f"{name} has columns with names; a plain array is wanted.")
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise DatasetError(
            f"{name} holds Python objects, which are not read, as that could run what is in them. "
            "Save plain arrays: numbers, booleans, or strings with dtype=str."
        )
    size = math.prod(shape) * dtype.itemsize
    if size > MOST_BYTES:
        raise DatasetError(
            f"{name} takes {size / 2**20:.0f} MiB; at most {MOST_BYTES // 2**20} are read. Save it "
            "as float16, or fewer layers of it."
        )

"""Whether a data set is still the one that a run was begun with: its files, in a short string."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vl_core.datasets.items import Dataset
from vl_core.errors import DatasetError

MOST_READ = 512 * 2**20  # bytes of all files together: about a second
_ENDS = 2**16  # bytes at each end of a file that is not read whole


def identity(data: Dataset) -> dict[str, Any]:
    """What a set is told from others by, as JSON keeps it; raises DatasetError as `fingerprint`."""
    found = {"data": data.name, "kind": data.kind, "items": len(data), "files": fingerprint(data)}
    asked = data.metadata.get("question")  # of every picture of a folder
    return found if asked is None else found | {"question": asked}


def differing(came: object, wanted: Mapping[str, Any], within: str = "") -> list[str]:
    """What two such descriptions differ in: the names of entries, "model dtype" of one inside."""
    if not isinstance(came, Mapping):
        return [within.strip() or "all"]
    found = []
    for name in {**wanted, **came}:
        one, other = came.get(name), wanted.get(name)
        if isinstance(other, Mapping):
            found += differing(one, other, f"{within}{name} ")
        elif one != other:
            found.append(f"{within}{name}")
    return found


def fingerprint(data: Dataset) -> str:
    """Another one for other content of the files that say what the items are.

    Files are read whole, in their order, up to 512 MiB in all. Those beyond are told by size, by
    their first and last 64 KiB and by when they were changed; pictures that a table or a question
    names are not looked at. Where the files lie makes no difference. Raises DatasetError if one
    cannot be read.
    """
    return _of_files(data.paths)


def _of_files(files: Iterable[Path]) -> str:
    total, left = hashlib.sha256(), MOST_READ
    for path in files:
        try:
            about = path.stat()
            total.update(f"{path.name}\0{about.st_size}\0".encode(errors="surrogateescape"))
            if about.st_size <= left:
                left -= about.st_size
                _add_whole(total, path)
            else:
                _add_ends(total, path, about.st_size)
                total.update(str(about.st_mtime_ns).encode())
        except OSError as error:
            raise DatasetError(f"{path.name} cannot be read: {error.strerror}.") from error
    return total.hexdigest()


def _add_whole(total: "hashlib._Hash", path: Path) -> None:
    with path.open("rb") as file:
        while block := file.read(2**20):
            total.update(block)


def _add_ends(total: "hashlib._Hash", path: Path, size: int) -> None:
    with path.open("rb") as file:
        total.update(file.read(_ENDS))
        file.seek(max(0, size - _ENDS))
        total.update(file.read(_ENDS))

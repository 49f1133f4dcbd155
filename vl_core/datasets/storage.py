"""The files of a data set by their relative names, in a folder or in a zip file.

Names come out of files that anyone may have written: none leads out of the folder, and no entry of
a zip file is unpacked beyond what a picture may take.
"""

import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Protocol

from vl_core.errors import DatasetError

MOST_BYTES = 64 * 2**20  # of one file: more than any picture that is read

_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


class Storage(Protocol):
    """Files by relative name, with "/" between the parts."""

    def read(self, name: str) -> bytes:
        """The file's content; raises DatasetError if it is missing, too large or not inside."""

    def has(self, name: str) -> bool:
        """Whether there is such a file; False for a name that leads out."""


def storage(path: Path) -> Storage:
    """The folder or the zip file at this path; raises DatasetError if there is neither."""
    if path.is_dir():
        return Folder(path)
    if path.is_file() and zipfile.is_zipfile(path):
        return Zip(path)
    raise DatasetError(f"{path.name} is neither a folder nor a zip file. Give one with the files.")


@dataclass(frozen=True)
class Folder:
    """Files below a folder. Links inside it that lead out are not followed."""

    path: Path

    def read(self, name: str) -> bytes:
        """The file's content."""
        path = inside(self.path, name)
        try:
            size = path.stat().st_size
            if size > MOST_BYTES:
                raise _too_large(name, size)
            return path.read_bytes()
        except (OSError, ValueError) as error:
            raise DatasetError(f"{name} cannot be read: {_reason(error)}.") from error

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        try:
            return inside(self.path, name).is_file()
        except DatasetError:
            return False


@dataclass(frozen=True)
class Zip:
    """Entries of a zip file, each unpacked in memory when it is asked for."""

    path: Path

    @cached_property
    def _file(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except _UNREADABLE as error:
            raise DatasetError(
                f"{self.path.name} is damaged ({error}). Download it again."
            ) from error

    @cached_property
    def _top(self) -> str:
        """The folder that all entries lie in, with its "/", if the zip file was made of one."""
        names = self._file.namelist()
        top = names[0].partition("/")[0] + "/" if names else ""
        return top if top == f"{self.path.stem}/" and all(n.startswith(top) for n in names) else ""

    @cached_property
    def _lock(self) -> Lock:
        return Lock()  # one file position is shared

    def read(self, name: str) -> bytes:
        """The entry's content."""
        entry = self._entry(name)
        if entry is None:
            raise DatasetError(f"{name} is not in {self.path.name}.")
        try:
            with self._lock, self._file.open(entry) as file:
                # What an entry says of its size may be a lie: no more than that is unpacked.
                content = file.read(MOST_BYTES + 1)
        except _UNREADABLE as error:
            raise DatasetError(f"{name} in {self.path.name} is damaged ({error}).") from error
        if len(content) > MOST_BYTES:
            raise _too_large(name, entry.file_size)
        return content

    def has(self, name: str) -> bool:
        """Whether there is such an entry."""
        return self._entry(name) is not None

    def _entry(self, name: str) -> zipfile.ZipInfo | None:
        # Entries are looked up, never written anywhere, so a name that climbs just is not there.
        return self._entries.get(self._top + name) or self._entries.get(name)

    @cached_property
    def _entries(self) -> dict[str, zipfile.ZipInfo]:
        return {entry.filename: entry for entry in self._file.infolist() if not entry.is_dir()}


def inside(folder: Path, name: str) -> Path:
    """The path of a file that is named relative to the folder; raises DatasetError if it is not.

    Neither "..", an absolute name nor a link leads out.
    """
    parts = PurePosixPath(name.replace("\\", "/"))
    if not name or "\0" in name or parts.is_absolute() or ".." in parts.parts:
        raise _outside(name)
    root = folder.resolve()
    path = (root / parts).resolve()
    if not path.is_relative_to(root):
        raise _outside(name)
    return path


def _outside(name: str) -> DatasetError:
    return DatasetError(
        f"The file name {name!r} leads out of the data set's folder and is not followed. Names "
        "relative to that folder are wanted."
    )


def _too_large(name: str, size: int) -> DatasetError:
    return DatasetError(
        f"{name} is {size / 2**20:.0f} MiB; at most {MOST_BYTES // 2**20} are read of one picture."
    )


def _reason(error: OSError | ValueError) -> str:
    """Without the path of the server's folder, which an OSError repeats."""
    return (error.strerror if isinstance(error, OSError) else None) or "it is no file"

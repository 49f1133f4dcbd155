"""The files of a data set by their relative names, in a folder or in a zip file.

Names come out of files that anyone may have written: none leads out of the folder, and no entry of
a zip file is unpacked beyond what a picture may take.
"""

import stat
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

from vl_core.datasets.quoting import is_text, quoted, shortened
from vl_core.errors import DatasetError

MOST_BYTES = 64 * 2**20  # of one file: more than any picture that is read

_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)
_IS_ENCRYPTED = 0x1  # the bit that says so among an entry's flags
# The others unpack a block whole, however large it turns out to be.
READ_IN_PIECES = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@runtime_checkable
class Storage(Protocol):
    """Files by relative name, with "/" between the parts."""

    def read(self, name: str) -> bytes:
        """The file's content; raises DatasetError if it is missing, too large or not inside."""

    def has(self, name: str) -> bool:
        """Whether there is such a file; False for a name that leads out."""


def storage(path: Path, within: str = "") -> Storage:
    """The folder or the zip file at this path; raises DatasetError if there is neither.

    within: the name of the folder in a zip file from which names count, wherever it lies there.
    """
    if path.is_dir():
        return Folder(path)
    if path.is_file() and zipfile.is_zipfile(path):
        return Zip(path, within)
    if path.is_file() and path.suffix.lower() == ".zip":
        raise DatasetError(f"{path.name} is damaged or cut short. Download it again.")
    raise DatasetError(f"{path.name} is neither a folder nor a zip file. Give one with the files.")


@dataclass(frozen=True)
class Folder:
    """Files below a folder. Links inside it that lead out are not followed."""

    path: Path

    def read(self, name: str) -> bytes:
        """The file's content."""
        path = inside(self.path, name)
        try:
            about = path.stat()
            # Reading a pipe or a device would wait for ever.
            if not stat.S_ISREG(about.st_mode):
                raise DatasetError(f"{shortened(name)} cannot be read: it is no file.")
            if about.st_size > MOST_BYTES:
                raise _too_large(name, about.st_size)
            return path.read_bytes()
        except OSError as error:
            raise DatasetError(f"{shortened(name)} cannot be read: {_reason(error)}.") from error

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        try:
            return inside(self.path, name).is_file()
        except (DatasetError, OSError):
            return False


@dataclass(frozen=True)
class Zip:
    """Entries of a zip file, each unpacked in memory when it is asked for.

    Names count from the only folder called `within`, if there is one; else, where the file was
    made of one folder, from that folder as well. Several threads may read at once: zipfile locks
    the one file position that all entries share.
    """

    path: Path
    within: str = ""

    def read(self, name: str) -> bytes:
        """The entry's content."""
        entry = self._entry(name)
        if entry is None:
            raise DatasetError(f"{shortened(name)} is not in {self.path.name}.")
        self._check(name, entry)
        try:
            with self._file.open(entry) as file:
                # What an entry says of its size may be a lie. Without a limit of its own, reading
                # would unpack gigabytes before it found out.
                return file.read(entry.file_size + 1)
        except _UNREADABLE as error:
            raise DatasetError(
                f"{shortened(name)} in {self.path.name} is damaged ({_reason(error)})."
            ) from error

    def has(self, name: str) -> bool:
        """Whether there is such an entry."""
        return self._entry(name) is not None

    def _check(self, name: str, entry: zipfile.ZipInfo) -> None:
        if entry.file_size > MOST_BYTES:
            raise _too_large(name, entry.file_size)
        if entry.flag_bits & _IS_ENCRYPTED:
            raise DatasetError(
                f"{shortened(name)} in {self.path.name} is encrypted. Unpack the file first."
            )
        if entry.compress_type not in READ_IN_PIECES:
            raise DatasetError(
                f"{shortened(name)} in {self.path.name} is packed in a way that is not read. "
                "Unpack the file first, or pack it with the usual method (deflate)."
            )

    def _entry(self, name: str) -> zipfile.ZipInfo | None:
        # Entries are looked up, never written anywhere, so a name that climbs just is not there.
        plain = str(PurePosixPath(name.replace("\\", "/")))
        return self._entries.get(plain) or self._entries.get(self._top + plain)

    @cached_property
    def _entries(self) -> dict[str, zipfile.ZipInfo]:
        return {
            entry.filename.replace("\\", "/"): entry
            for entry in self._file.infolist()
            if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
        }

    @cached_property
    def _top(self) -> str:
        """The folder that names count from, with its "/"; empty if there is none."""
        named = self._named()
        if len(named) == 1:
            return named.pop()
        tops = {top + slash for top, slash, _ in (name.partition("/") for name in self._entries)}
        return tops.pop() if len(tops) == 1 else ""

    def _named(self) -> set[str]:
        """The folders of the wanted name, from the top and with "/"."""
        if not self.within:
            return set()
        parted = ((name, f"/{name}".find(f"/{self.within}/")) for name in self._entries)
        return {name[: start + len(self.within) + 1] for name, start in parted if start >= 0}

    @cached_property
    def _file(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except _UNREADABLE as error:
            raise DatasetError(
                f"{self.path.name} is damaged ({_reason(error)}). Download it again."
            ) from error


def inside(folder: Path, name: str) -> Path:
    """The path of a file that is named relative to the folder; raises DatasetError if it is not.

    Neither "..", an absolute name nor a link leads out.
    """
    parts = PurePosixPath(name.replace("\\", "/"))
    if not name or "\0" in name or not is_text(name):
        raise DatasetError(f"{quoted(name)} is no name of a file. Correct it.")
    if parts.is_absolute():
        raise _outside(name)
    try:
        root = folder.resolve()
        path = (root / parts).resolve()
    except (OSError, RuntimeError) as error:
        raise DatasetError(
            f"{quoted(name)} cannot be found: a link there leads back to itself, or the name is "
            "too long."
        ) from error
    if not path.is_relative_to(root):
        raise _outside(name)
    return path


def _outside(name: str) -> DatasetError:
    return DatasetError(
        f"The file name {quoted(name)} leads out of the data set's folder and is not followed. "
        "Names relative to that folder are wanted."
    )


def _too_large(name: str, size: int) -> DatasetError:
    return DatasetError(
        f"{shortened(name)} is {size / 2**20:.0f} MiB; at most {MOST_BYTES // 2**20} are read of "
        "one picture."
    )


def _reason(error: Exception) -> str:
    """Without the path of the server's folder, which an OSError repeats."""
    return (isinstance(error, OSError) and error.strerror) or str(error)

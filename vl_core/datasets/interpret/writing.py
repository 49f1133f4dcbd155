"""A database in the making: a folder that is seen whole or not at all, and the values in it."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vl_core.datasets.interpret.envelope import wrapped
from vl_core.errors import DatasetError

FIRST_ROOM = 16 * 2**20  # bytes that LMDB may fill to begin with


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill that is moved to its place at the end, or thrown away."""
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    try:
        partial.mkdir(parents=True)
        yield partial
        partial.replace(folder)
    except OSError as error:
        raise DatasetError(f"{folder.name} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


class Writer:
    """Values in an LMDB file, which grows as they come."""

    def __init__(self, environment: Any) -> None:  # noqa: ANN401 lmdb has no types
        self._environment = environment
        self._room = FIRST_ROOM

    @classmethod
    @contextmanager
    def in_folder(cls, folder: Path) -> Iterator["Writer"]:
        """A new file in this folder, closed at the end."""
        import lmdb  # noqa: PLC0415 only writing needs it

        try:
            with lmdb.open(str(folder), map_size=FIRST_ROOM, lock=False) as environment:
                yield cls(environment)
        except lmdb.Error as error:
            raise DatasetError(f"The database cannot be written: {error}.") from error

    def put(self, key: str, value: bytes | int) -> None:
        """Keep the value under this key."""
        content = wrapped(value)
        # Twice the bytes: a value is written to new pages before old ones are given back.
        self._room += 2 * len(content)
        self._environment.set_mapsize(self._room)
        with self._environment.begin(write=True) as transaction:
            transaction.put(key.encode(), content)

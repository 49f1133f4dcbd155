"""The rows of Parquet and Arrow files by their number, read in parts; nothing in them is executed.

A column that holds bytes, as pictures are kept, is read for one row alone and only when its value
is asked for.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vl_core.datasets.items import placed
from vl_core.datasets.row_items import Row
from vl_core.errors import DatasetError

MOST_GROUP_BYTES = 512 * 2**20  # of a group of rows: for one value its column may be read whole
_BATCH = 16  # rows with pictures that are decoded together
_KEPT_GROUPS = 2  # of a file, as rows are mostly asked for in their order


class ParquetRows:
    """A Parquet file: a group of rows is read without its pictures, and kept until others are.

    Raises DatasetError if it is no Parquet file or its groups are too large to be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._file() as file:
            schema, metadata = file.schema_arrow, file.metadata
            groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
            for group in groups:
                # What is told of single columns is left alone: if that is damaged, pyarrow aborts.
                _check_group(path.name, group.num_rows, group.total_byte_size)
            self.columns: list[str] = schema.names
            self._light, self._large = _by_size(schema)
        self._ends = list(accumulate(group.num_rows for group in groups))
        self._group = lru_cache(_KEPT_GROUPS)(self._read_group)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The file itself."""
        return (self.path,)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: int) -> Row:
        """The row of that number; columns with bytes as functions that read them."""
        group, place = _within(self._ends, placed(number, len(self)))
        with _readable(self.path):
            (row,) = self._group(group).slice(place, 1).to_pylist()
        return row | {name: partial(self._value, group, place, name) for name in self._large}

    def named(self, number: int) -> str:
        """Which row it is, for messages: "row 8 of train.parquet", counted from 0."""
        return f"row {number} of {self.path.name}"

    def _read_group(self, group: int) -> pa.Table:
        with self._file() as file:
            return file.read_row_group(group, self._light)

    def _value(self, group: int, place: int, name: str) -> Any:  # noqa: ANN401 of any type
        """One value, found by decoding the group's column up to it."""
        with self._file() as file:
            for batch in file.iter_batches(_BATCH, [group], [name]):
                if place < len(batch):
                    return batch.column(0)[place].as_py()
                place -= len(batch)
        raise DatasetError(f"{self.path.name} is damaged: it has fewer rows than it says.")

    @contextmanager
    def _file(self) -> Iterator[pq.ParquetFile]:
        # Read through a small buffer: by itself pyarrow loads a whole group's column at once.
        with (
            _readable(self.path),
            pq.ParquetFile(self.path, buffer_size=2**20, pre_buffer=False) as file,
        ):
            yield file


def _check_group(name: str, n_rows: int, n_bytes: int) -> None:
    if n_rows < 0:
        raise DatasetError(f"{name} is damaged: it has a group of {n_rows} rows.")
    if n_bytes > MOST_GROUP_BYTES:
        raise DatasetError(
            f"{name} has a group of rows of {n_bytes / 2**20:.0f} MiB, which may be read as a "
            f"whole; at most {MOST_GROUP_BYTES // 2**20} are. Write it again with smaller groups "
            "(row_group_size=100)."
        )


class ArrowRows:
    """A file in Arrow's stream format, as `datasets` writes it: mapped into memory and not read.

    Raises DatasetError if it is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _readable(path):
            table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
            self.columns: list[str] = table.schema.names
            self._light, self._large = _by_size(table.schema)
        self._batches = table.to_batches()
        self._ends = list(accumulate(map(len, self._batches)))

    @property
    def paths(self) -> tuple[Path, ...]:
        """The file itself."""
        return (self.path,)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: int) -> Row:
        """The row of that number; columns with bytes as functions that read them."""
        batch, place = _within(self._ends, placed(number, len(self)))
        with _readable(self.path):
            row = self._checked(batch, place, self._light)
        return row | {name: partial(self._value, batch, place, name) for name in self._large}

    def named(self, number: int) -> str:
        """Which row it is, for messages: "row 8 of data-00000-of-00001.arrow", counted from 0."""
        return f"row {number} of {self.path.name}"

    def _value(self, batch: int, place: int, name: str) -> Any:  # noqa: ANN401 of any type
        with _readable(self.path):
            return self._checked(batch, place, [name])[name]

    def _checked(self, batch: int, place: int, names: list[str]) -> dict[str, Any]:
        """Some values of one row; a damaged file could point anywhere in memory."""
        one = self._batches[batch].select(names).slice(place, 1)
        one.validate(full=True)
        (row,) = one.to_pylist()
        return dict(row)


class JoinedRows:
    """The rows of several files one after the other."""

    def __init__(self, parts: Sequence[ParquetRows | ArrowRows]) -> None:
        self._parts = parts
        self._ends = list(accumulate(map(len, parts)))

    @property
    def columns(self) -> list[str]:
        """Those of the first file."""
        return self._parts[0].columns

    @property
    def paths(self) -> tuple[Path, ...]:
        """Those files."""
        return tuple(part.path for part in self._parts)

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, number: int) -> Row:
        """The row of that number."""
        part, place = _within(self._ends, placed(number, len(self)))
        return self._parts[part][place]

    def named(self, number: int) -> str:
        """Which row of which file it is, for messages."""
        part, place = _within(self._ends, number)
        return self._parts[part].named(place)


def _within(ends: Sequence[int], number: int) -> tuple[int, int]:
    """Which part a number falls into, of parts that end there, and its place in that part."""
    part = bisect_right(ends, number)
    return part, number - (ends[part - 1] if part else 0)


def _by_size(schema: pa.Schema) -> tuple[list[str], list[str]]:
    """The names of columns that are read with each row, and of those that hold bytes."""
    large = [field.name for field in schema if _holds_bytes(field.type)]
    return [name for name in schema.names if name not in large], large


def _holds_bytes(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _holds_bytes(kind.storage_type)
    is_bytes = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    if any(found(kind) for found in is_bytes):
        return True
    return any(_holds_bytes(kind.field(number).type) for number in range(kind.num_fields))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        # Some of its messages go over several lines.
        reason = " ".join(str(error).replace(str(path), path.name).split()).rstrip(".: ")
        raise DatasetError(f"{path.name} is damaged or no such file: {reason}.") from error

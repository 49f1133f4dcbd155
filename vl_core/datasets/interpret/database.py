"""The data set: records by number, as items and as traces."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import Any

from vl_core.counted import counted
from vl_core.datasets.interpret.as_trace import example_of, text_of, trace_of
from vl_core.datasets.interpret.envelope import MOST_BYTES, bytes_in, number_in
from vl_core.datasets.interpret.lmdb_pages import MAGIC, MAGIC_PLACE, Place, content, places
from vl_core.datasets.interpret.pickles import loaded
from vl_core.datasets.interpret.record import Record, fields_of
from vl_core.datasets.items import PLAIN, Asked, Item, Option, placed
from vl_core.errors import DatasetError, VLError
from vl_core.trace import Trace

KIND = "VL-InterpreT database"
FILE = "data.mdb"
COUNT, LAYERS, HEADS = "n_examples", "n_layers", "n_heads"

CORRECTED = (
    (
        "Patches lie where img_coords says, counted from the top left. The original's pages "
        "counted rows from the bottom in places, so that a patch showed what the one mirrored "
        "across the middle looks at."
    ),
    (
        "Hidden states belong to their tokens. The original sorted the patches row by row in "
        "tokens, img_coords and attention, but not in hidden_states; where the numbers in the "
        "patches' names tell how they came, that is undone, and an item says so."
    ),
    (
        "Text ends after txt_len tokens, with [CLS] and [SEP] told apart by name. The original "
        "left them out and parted text from image where it had before, so that patches counted as "
        "text."
    ),
)

_NUMBER = re.compile(rb"\d{1,18}")
_MOST_PACKED = MOST_BYTES + MOST_BYTES // 64  # lz4 adds less to what it cannot shorten
_MOST_PLAIN_PACKED = 256
_ITEMS_AT_HAND = 1000
_reading = Lock()  # two visitors' large records must not be unpacked at once


def is_at(path: Path) -> bool:
    """Whether it is a folder with a data.mdb in it, or such a file by itself."""
    try:
        return (path / FILE).is_file() or (path.is_file() and _begins_as_lmdb(path))
    except (OSError, ValueError):
        return False


def _begins_as_lmdb(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(MAGIC_PLACE.stop)[MAGIC_PLACE] == MAGIC


def opened(path: Path) -> "Database":
    """The database; raises as `Database` does."""
    return Database(path)


class Database:
    """A database of the original VL-InterpreT, its records in the order of their numbers.

    path: its folder, or the data.mdb in it. What is beside it (lock.mdb, faiss/) is not read.
    Several threads may read at once. Raises DatasetError for what is none or is damaged; a damaged
    record is told of when it is asked for.
    """

    kind = KIND

    def __init__(self, path: Path) -> None:
        self._file = path / FILE if path.is_dir() else path
        self.name = self._file.resolve().parent.name if path.name == FILE else path.name
        found = places(self._file)
        self._shape = self._plain(found, LAYERS), self._plain(found, HEADS)
        announced = self._plain(found, COUNT)
        numbers = sorted((int(key), key) for key in found if _NUMBER.fullmatch(key))
        self._records = [(key.decode(), found[key]) for _, key in numbers]
        if not self._records:
            raise DatasetError(f"{self.name} has no records. Add examples with the original first.")
        self._item = lru_cache(_ITEMS_AT_HAND)(self._read_item)
        self.metadata: dict[str, Any] = {
            "layers": self._shape[0],
            "heads": self._shape[1],
            "corrected": [*CORRECTED, *_miscounted(announced, len(self._records))],
        }

    @property
    def paths(self) -> tuple[Path, ...]:
        """The file with the records."""
        return (self._file,)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, number: int) -> Item:
        """The record of that place; raises DatasetError if it is damaged or not safe to open."""
        return self._item(placed(number, len(self)))

    def __iter__(self) -> Iterator[Item]:
        """All in order; raises at the first damaged one."""
        return (self[number] for number in range(len(self)))

    def trace(self, number: int) -> Trace:
        """What the model did, with the statistics of all heads; raises DatasetError."""
        place = placed(number, len(self))
        key, _ = self._records[place]
        return self._read(place, partial(trace_of, name=f"{KIND} {self.name}, record {key}"))

    def _read_item(self, place: int) -> Item:
        return self._read(place, partial(self._as_item, place))

    def _as_item(self, place: int, record: Record) -> Item:
        text = text_of(record)
        option = Option("0", text, partial(self._read, place, example_of))
        return Item(
            name=self._records[place][0],
            text=text,
            asked=(Asked(PLAIN, text, (option,)),),
            was_right=record.was_right,
            facts=_facts(record),
        )

    def _read(self, place: int, read: Any) -> Any:  # noqa: ANN401 what is made of a record
        """What is made of a record; what goes wrong is told with its number."""
        key, where = self._records[place]
        try:
            with _reading:
                packed = content(self._file, where, _MOST_PACKED)
                return read(Record(fields_of(loaded(bytes_in(packed))), self._shape))
        except VLError as error:
            raise DatasetError(f"Record {key} of {self.name}: {error}") from error

    def _plain(self, found: Mapping[bytes, Place], key: str) -> int:
        where = found.get(key.encode())
        if where is None:
            raise DatasetError(
                f"{self.name} has no {key}, so it is no VL-InterpreT database or was not finished. "
                "Let the original's preprocess go through it first."
            )
        try:
            return number_in(content(self._file, where, _MOST_PLAIN_PACKED))
        except DatasetError as error:
            raise DatasetError(f"{key} of {self.name}: {error}") from error


def _miscounted(announced: int, there: int) -> list[str]:
    if announced == there:
        return []
    said = (
        f"There are {there} records, though n_examples says {announced}. The original counts all "
        "again each time a database is prepared."
    )
    return [said]


def _facts(record: Record) -> dict[str, str]:
    columns, rows = record.grid
    grid = f", {counted(rows, 'row')} x {counted(columns, 'column')}" if rows else ""
    patches = counted(record.n_patches, "patch", "patches")
    facts = {"tokens": f"{record.n_text} of text, {patches}{grid}"}
    if record.statistics:
        facts["statistics of its own"] = ", ".join(record.statistics)
    return facts | record.notes

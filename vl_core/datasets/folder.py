"""A folder of pictures, with a table that says what is asked of each, or with a text beside each.

FOLDER/metadata.jsonl     or metadata.csv, metadata.parquet, data.parquet, or any one table;
FOLDER/...                pictures wherever the table says (its columns stand in `rows`)

FOLDER/dog.jpg            without a table: pictures of the folder itself, in the order of names,
FOLDER/dog.txt            each with its question or caption, unless one question is for all
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vl_core.counted import counted
from vl_core.datasets import tables
from vl_core.datasets.items import Dataset, Item, placed
from vl_core.datasets.row_items import item
from vl_core.datasets.storage import Folder
from vl_core.errors import DatasetError, VLError

KIND = "folder"
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")

_NAMED = ("metadata.jsonl", "metadata.csv", "metadata.parquet", "data.parquet")


def is_at(path: Path) -> bool:
    """Whether it is a folder with a table or with pictures in it."""
    endings = (*tables.ENDINGS, *PICTURES)
    return path.is_dir() and any(name.lower().endswith(endings) for name in _names(path))


def opened(path: Path, question: str = "") -> Dataset:
    """The folder. question: asked of every picture, where there is no table and no text.

    Raises DatasetError if several tables could be meant, if the one there is damaged or lacks a
    column, or if nothing is asked of any picture.
    """
    found = _tables(path)
    if len(found) > 1:
        raise DatasetError(
            f"{path.name} has several tables: {', '.join(found)}. Name one of them metadata.jsonl "
            "(or .csv, .parquet), or open one by itself."
        )
    if found and question:
        raise DatasetError(
            f"{path.name} has the table {found[0]}, which says what is asked of each picture; one "
            "question for all is for folders without a table."
        )
    if found:
        return tables.table(path / found[0], path.name, KIND)
    return _pictures(path, question)


def _tables(path: Path) -> list[str]:
    """The tables that could be meant: the first that has the usual name, else all."""
    found = [name for name in _names(path) if name.lower().endswith(tables.ENDINGS)]
    return [name for name in _NAMED if name in found][:1] or found


def _names(path: Path) -> list[str]:
    try:
        return sorted(one.name for one in path.iterdir())
    except OSError:
        return []


def _pictures(path: Path, question: str) -> "Pictures":
    names = _names(path)
    found = [name for name in names if name.lower().endswith(PICTURES)]
    asked = found if question else [name for name in found if _text_of(name) in set(names)]
    if not asked:
        raise DatasetError(
            f"Nothing is asked of the {counted(len(found), 'picture')} in {path.name}. Put a table "
            "there (metadata.jsonl), or a text beside each picture (dog.txt for dog.jpg), or give "
            "one question for all."
        )
    return Pictures(path.name, Folder(path), tuple(asked), question, len(found) - len(asked))


def _text_of(picture: str) -> str:
    """The name of the text that belongs to a picture."""
    return f"{picture.rpartition('.')[0]}.txt"


@dataclass(frozen=True)
class Pictures:
    """The pictures of a folder, each with the text beside it or all with one question."""

    name: str
    files: Folder
    pictures: tuple[str, ...]
    question: str
    n_without_text: int
    kind: str = KIND

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What is asked, and how many pictures are left out as nothing is."""
        if self.question:
            return {"question": self.question}
        return {"left out, without a text": self.n_without_text}

    @property
    def paths(self) -> list[Path]:
        """The pictures, each with the text beside it unless one question is for all."""
        names = list(self.pictures)
        if not self.question:
            names += [_text_of(name) for name in self.pictures]
        return [self.files.path / name for name in names]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, number: int) -> Item:
        name = self.pictures[placed(number, len(self))]
        try:
            row = {"image": name, "question": self.question or self._text(name)}
            return item(row, name, name, self.files)
        except VLError as error:
            raise DatasetError(f"{name}: {error}") from error

    def __iter__(self) -> Iterator[Item]:
        return map(self.__getitem__, range(len(self)))

    def _text(self, picture: str) -> str:
        name = _text_of(picture)
        try:
            return self.files.read(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DatasetError(f"{name} is no UTF-8. Save it as UTF-8.") from error

"""A data set of Hugging Face on disk, read without its library; no loading script is run.

    FOLDER/state.json, dataset_info.json, data-00000-of-00001.arrow      save_to_disk of one split
    FOLDER/dataset_dict.json, train/..., validation/...                  ... of several
    FOLDER/data/train-00000-of-00002.parquet, ...                        as the Hub keeps them

Which columns are read stands in `rows`; pictures are {"bytes": ..., "path": ...}.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vl_core.datasets.rows import Table, check_table
from vl_core.datasets.storage import Folder, inside
from vl_core.errors import DatasetError

KIND = "Hugging Face data set"
ORDER = ("validation", "val", "dev", "test", "train")  # the first that is there is opened

_STATE, _INFO, _SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
_SHARD = re.compile(r"(\w[\w.]*)-\d{5}-of-\d{5}\.parquet")


def is_at(path: Path) -> bool:
    """Whether there are the files that `save_to_disk` writes, or Parquet files named as shards."""
    return _is_one_split(path) or (path / _SPLITS).is_file() or bool(_shards(path))


def opened(path: Path, split: str = "") -> Table:
    """The split of that name; without one the first of validation, val, dev, test, train.

    Raises DatasetError if there is no such split, or its files are damaged or lack a column.
    """
    if _is_one_split(path):
        if split:
            raise DatasetError(
                f"{path.name} is one split by itself. Open the folder that holds it."
            )
        return _saved(path, path.name)
    if (path / _SPLITS).is_file():
        splits = [str(one) for one in _list(path / _SPLITS, "splits")]
        chosen = _chosen(splits, split, path.name)
        return _saved(inside(path, chosen), f"{path.name}, {chosen}")
    shards = _shards(path)
    chosen = _chosen(list(shards), split, path.name)
    return _table(path, shards[chosen], f"{path.name}, {chosen}")


def _is_one_split(path: Path) -> bool:
    return (path / _STATE).is_file() and (path / _INFO).is_file()


def _saved(path: Path, name: str) -> Table:
    """The files that its state names, in their order."""
    if _list(path / _STATE, "_indices_data_files"):
        raise DatasetError(
            f"{name} was saved as a choice of rows of another one. Call flatten_indices() on it "
            "before save_to_disk()."
        )
    try:
        files = [str(one["filename"]) for one in _list(path / _STATE, "_data_files")]
    except (TypeError, KeyError) as error:
        raise DatasetError(
            f"{_STATE} is damaged: _data_files does not name files. Save the data set again."
        ) from error
    return _table(path, [inside(path, file) for file in files], name)


def _table(path: Path, files: Sequence[Path], name: str) -> Table:
    from vl_core.datasets import arrow_rows  # noqa: PLC0415 pyarrow takes its time

    if not files:
        raise DatasetError(f"{name} names no file with data. Save it again.")
    rows = arrow_rows.JoinedRows(
        [
            arrow_rows.ParquetRows(file)
            if file.suffix == ".parquet"
            else arrow_rows.ArrowRows(file)
            for file in files
        ]
    )
    check_table(rows, rows.columns, name)
    metadata = {"files": len(files), "columns": ", ".join(rows.columns)}
    return Table(name, KIND, rows, Folder(path), metadata)


def _shards(path: Path) -> dict[str, list[Path]]:
    """By split, the Parquet files in the folder or in its folder "data", in their order."""
    for folder in (path / "data", path):
        found: dict[str, list[Path]] = {}
        for file in sorted(folder.glob("*.parquet")):
            shard = _SHARD.fullmatch(file.name)
            if shard:
                found.setdefault(shard[1], []).append(file)
        if found:
            return found
    return {}


def _chosen(splits: Sequence[str], split: str, name: str) -> str:
    if split and split not in splits:
        raise DatasetError(f"{name} has no split {split!r}; it has {', '.join(splits)}.")
    found = [one for one in ORDER if one in splits] or list(splits)
    if not found:
        raise DatasetError(f"{name} has no splits. Save it again.")
    return split or found[0]


def _list(path: Path, key: str) -> list[Any]:
    """A list under a key of a small JSON file; empty if there is no such key."""
    try:
        found = json.loads(path.read_bytes()).get(key) or []
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError, AttributeError) as error:
        raise DatasetError(f"{path.name} is damaged: {error}. Save the data set again.") from error
    if not isinstance(found, list):
        raise DatasetError(f"{path.name} is damaged: {key} is no list. Save the data set again.")
    return found

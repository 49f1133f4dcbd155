"""Finding out what kind of data set lies at a path."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import islice
from pathlib import Path

from vl_core.datasets.generated import Scenes
from vl_core.datasets.items import Dataset
from vl_core.errors import DatasetError

SCENES = "scenes"  # no path but a name, of questions about generated scenes

# Modules with is_at(path) and opened(path); those first whose files tell best what they are.
_SOURCES = {
    "interpret": "VL-InterpreT database (data.mdb)",
    "vcr": "VCR (val.jsonl with vcr1images beside it)",
    "webqa": "WebQA (WebQA_train_val.json with imgs.tsv beside it)",
    "arrow": "Hugging Face data set (save_to_disk, or data/train-*.parquet)",
    "tensors": ".npz files with a model's own tensors",
    "tables": "table (.jsonl, .csv or .parquet)",
    "folder": "folder of pictures with a table, or with a .txt beside each",
}
_LOOKED_AT, _SHOWN = 1000, 6  # names of what is there instead


def open(  # noqa: A001 read as datasets.open
    path: str | Path,
    *,
    split: str | None = None,
    question: str | None = None,
    tags: str | None = None,
) -> Dataset:
    """The data set at this path, whatever its kind; "scenes" is one that needs no file.

    split: the name of one, of a data set that has several and lets them be chosen. question: asked
    of every picture, for a folder of pictures alone. tags: what VCR's objects are called, one of
    vcr.TagStyle. Raises DatasetError, with what was found and
    which kinds are known, if it is none, is damaged, or takes no such option.
    """
    options = {"split": split, "question": question, "tags": tags}
    given = {name: value for name, value in options.items() if value is not None}
    place = _with_name(Path(path))
    try:
        if place.exists():
            return _opened(place, given)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    if str(path) != SCENES:
        raise DatasetError(f"There is no file or folder {path}.")
    _check_options(Scenes, SCENES, given)
    return Scenes()


def _opened(place: Path, options: Mapping[str, str]) -> Dataset:
    for module, title in _SOURCES.items():
        source = import_module(f"{__package__}.{module}")
        if source.is_at(place):
            _check_options(source.opened, title, options)
            found: Dataset = source.opened(place, **options)
            return found
    raise DatasetError(
        f"{place.name} is no data set of a kind that is known: it is {_said(place)}. Known are: "
        f"{'; '.join(_SOURCES.values())}."
    )


def _check_options(opened: Callable[..., Dataset], title: str, options: Mapping[str, str]) -> None:
    strange = options.keys() - inspect.signature(opened).parameters
    if strange:
        raise DatasetError(f"The option {min(strange)} is not for this kind: {title}.")


def _with_name(path: Path) -> Path:
    """The same place under a name of its own, as "." has none to be called by."""
    return path if path.name not in ("", "..") else path.resolve()


def _said(place: Path) -> str:
    if not place.is_dir():
        return f"a file of {place.stat().st_size:,} bytes"
    names = sorted(one.name for one in islice(place.iterdir(), _LOOKED_AT))
    if not names:
        return "an empty folder"
    more = ", ..." if len(names) > _SHOWN else ""
    return f"a folder with {', '.join(names[:_SHOWN])}{more}"

"""The data sets of this server: those that its owner names, and two of generated scenes.

A visitor, or a link, names a set by its name alone; what path that is, the owner has settled.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from pages.shared import settings
from pages.shared.data_sets import scene_sets
from pages.shared.memo import Memo
from vl_core import datasets
from vl_core.counted import counted
from vl_core.datasets import Asked, Dataset, HoldsTraces, Item, Option, vcr
from vl_core.datasets.items import PLAIN
from vl_core.datasets.opening import SCENES
from vl_core.errors import DatasetError, VLError

OPENED = 64  # sets: more than an owner will name
SOURCES = "sources"  # how sets call the task whose options are not candidates
CATEGORIES_SOUGHT = 500  # items in which categories are looked for, where the set does not list any
TASKS_SOUGHT = 50  # ... in which it is looked for what a model can be judged by

# Share done (0..1), or None where nobody can tell, and what is being done.
Report = Callable[[float | None, str], object]


@dataclass(frozen=True)
class Place:
    """Which example of a data set: its item, what is asked of it, and the option; all from 0."""

    item: int = 0
    asked: int = 0
    option: int = 0


FIRST = Place()


def names() -> list[str]:
    """All that can be chosen, the owner's own first."""
    return list(dict.fromkeys([*settings.data_sets(), *scene_sets.SETS]))


def is_of_scenes(name: str) -> bool:
    """Whether its pictures are generated scenes, which the embedded model knows."""
    path = settings.data_sets().get(name)
    return name in scene_sets.SETS if path is None else path == SCENES


def about(name: str) -> str:
    """What a visitor must know of a set that nobody brought; nothing of the owner's."""
    return "" if name in settings.data_sets() else scene_sets.ABOUT.get(name, "")


def opened(name: str, report: Report = lambda *_: None) -> Dataset:
    """The set of that name, opened once for all visitors; report: told how far it is.

    Raises DatasetError if there is no such set on this server, or if it cannot be opened.
    """
    if name not in names():
        raise DatasetError(
            f"This server has no data set called {name!r}. Choose one on the page Data sets."
        )
    return _opened().get(name, lambda: _open(name, report))


def is_opened(name: str) -> bool:
    """Whether it is open already, so that opening it takes no time."""
    return _opened().peek(name) is not None


def item(name: str, number: int) -> Item:
    """An item of a set by its number from 0; raises DatasetError where there is none."""
    data = opened(name)
    if not 0 <= number < len(data):
        raise DatasetError(
            f"“{name}” has {counted(len(data), 'item')}, and number {number + 1:,} was asked for. "
            "Choose one on the page Data sets."
        )
    try:
        return data[number]
    except OSError as error:
        raise DatasetError(
            f"Item {number + 1:,} of “{name}” cannot be read: {error.strerror}."
        ) from error


def asked(name: str, place: Place) -> Asked:
    """What is asked of an item; raises DatasetError where nothing is."""
    found = item(name, place.item).asked
    if not 0 <= place.asked < len(found):
        raise DatasetError(
            f"Of item {place.item + 1:,} of “{name}” {len(found)} things are asked, and number "
            f"{place.asked + 1:,} was wanted. Choose one on the page Data sets."
        )
    return found[place.asked]


def option(name: str, place: Place) -> Option:
    """One of the candidates or sources; raises DatasetError where there is none."""
    found = asked(name, place).options
    if not 0 <= place.option < len(found):
        raise DatasetError(
            f"Item {place.item + 1:,} of “{name}” has "
            f"{counted(len(found), 'candidate or source', 'candidates or sources')} there, and "
            f"number {place.option + 1:,} was wanted. Choose one on the page Data sets."
        )
    return found[place.option]


def holds_traces(name: str) -> bool:
    """Whether the set keeps what a model did, so that none has to run."""
    return isinstance(opened(name), HoldsTraces)


def categories(name: str) -> list[str]:
    """What the set counts its items to; none where it does not.

    Where the set does not list them, those of at most 500 items that are evenly spread over it.
    """
    return _results().get((name, "categories"), lambda: _categories(opened(name)))


def tasks_of(item: Item) -> frozenset[str]:
    """By which of its tasks a model can be judged, as sets call them.

    By those with something to choose from, and by PLAIN where an answer is told that no candidates
    are given for.
    """
    choices = {asked.name for asked in item.asked if len(asked.options) > 1}
    is_answered = item.answer is not None and item.asked[0].name == PLAIN
    return frozenset(choices | {PLAIN} if is_answered else choices)


def tasks(name: str) -> frozenset[str]:
    """By what a model can be judged on a set: the tasks of at most 50 items spread over it.

    None of a set that keeps what its own model did.
    """
    return _results().get((name, "tasks"), lambda: _tasks(opened(name)))


def _open(name: str, report: Report) -> Dataset:
    path = settings.data_sets().get(name)
    if path is not None:
        report(None, "Opening the data set")
        return _of_owner(name, path)
    count = scene_sets.COUNT
    place = scene_sets.written(
        name,
        lambda done: report(done / count, f"Drawing scenes, {done} of {counted(count, 'item')}"),
    )
    return datasets.open(place)


def _of_owner(name: str, path: str) -> Dataset:
    """What lies at a path, of which visitors learn nothing."""
    try:
        if path != SCENES and not Path(path).exists():
            raise DatasetError(f"The files of “{name}” are not where this server looks for them.")
        return datasets.open(path, tags=settings.tags() if vcr.is_at(Path(path)) else None)
    except VLError as error:
        # "." would be found in any sentence; only the full path tells where the set lies.
        said = str(error).replace(path, name) if Path(path).is_absolute() else str(error)
        raise DatasetError(said) from error
    except OSError as error:
        raise DatasetError(f"“{name}” cannot be opened: {error.strerror}.") from error


def _categories(data: Dataset) -> list[str]:
    if isinstance(data, HoldsTraces):  # these have none, and reading many takes long
        return []
    listed = data.metadata.get("categories")
    if isinstance(listed, str):
        return listed.split(", ")
    if isinstance(listed, dict):
        return sorted(listed.get(data.metadata.get("split"), {}))
    sought = _spread(data, CATEGORIES_SOUGHT)
    return sorted({_category(data, number) for number in sought} - {""})


def _spread(data: Dataset, most: int) -> list[int]:
    """The numbers of so many items at most, evenly from the first to the last."""
    count = len(data)
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int)).tolist()


def _tasks(data: Dataset) -> frozenset[str]:
    if isinstance(data, HoldsTraces):
        return frozenset()
    found: set[str] = set()
    for number in _spread(data, TASKS_SOUGHT):
        with suppress(VLError, OSError):
            found |= tasks_of(data[number])
    return frozenset(found)


def _category(data: Dataset, number: int) -> str:
    try:
        return data[number].category
    except (VLError, OSError):
        return ""


@st.cache_resource(show_spinner=False)
def _opened() -> Memo:
    return Memo(OPENED)


@st.cache_resource(show_spinner=False)
def _results() -> Memo:
    return Memo(OPENED)

"""Two data sets that need no files from anybody: generated scenes in the formats of VCR and WebQA.

They are written below the store's folder when somebody first wants one, and read as any other set.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import vl_core
from vl_core import store
from vl_core.datasets import scenes
from vl_core.datasets.scenes.vcr_files import write_vcr
from vl_core.datasets.scenes.webqa_files import write_webqa
from vl_core.errors import DatasetError

COUNT = 60  # items of each
CHOICES, SOURCES = "Scenes: multiple choice", "Scenes: sources"

Told = Callable[[int], object]


@dataclass(frozen=True)
class SceneSet:
    """One of them. folder: its name on disk. write: puts all of it into a folder."""

    folder: str
    write: Callable[[Path, Told], None]


def _write_choices(folder: Path, tell: Told) -> None:
    write_vcr(folder, scenes.choice_items(scenes.UNSEEN_SEEDS, COUNT), "val", tell)


def _write_sources(folder: Path, tell: Told) -> None:
    write_webqa(folder, scenes.sourced_items(scenes.UNSEEN_SEEDS, COUNT), "val", tell)


ABOUT = {
    CHOICES: "Questions about generated scenes in VCR's format: four answers, then four reasons. "
    "The embedded model was trained on such questions, though never on these scenes.",
    SOURCES: "Questions about generated scenes in WebQA's format: which of eight sources answers? "
    "The embedded model was trained on such questions, though never on these scenes.",
}
SETS: Mapping[str, SceneSet] = {
    CHOICES: SceneSet("scenes-vcr", _write_choices),
    SOURCES: SceneSet("scenes-webqa", _write_sources),
}


def written(name: str, tell: Told) -> Path:
    """Where the set of that name lies, written now if it was not; tell: told how many items are.

    It is written elsewhere and moved to its place, so that other processes see it whole or not at
    all; who loses a race loses time only. Raises DatasetError where nothing can be written.
    """
    wanted = SETS[name]
    # Another version of this program may draw other scenes.
    place = store.default_folder() / "sets" / f"{wanted.folder}-{vl_core.__version__}"
    if place.is_dir():
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=place.parent) as unfinished:
            whole = Path(unfinished) / place.name
            wanted.write(whole, tell)
            _move(whole, place)
    except OSError as error:
        raise DatasetError(
            f"“{name}” cannot be written below the folder of the disk store ({error.strerror}). "
            f"Name another folder in {store.SETTING}, or make room there."
        ) from error
    return place


def _move(whole: Path, place: Path) -> None:
    try:
        whole.rename(place)
    except OSError:
        if not place.is_dir():  # another process was not faster, so something is wrong
            raise

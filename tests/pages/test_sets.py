"""Which data sets a server has, what is read of them, and what is said where that fails."""

import os
from pathlib import Path

import pytest

import vl_core
from pages.shared.data_sets import scene_sets, sets
from pages.shared.data_sets.sets import Place
from tests.pages.set_visits import CHOICES, SOURCES, Listed, choosing, forget_sets, plain
from vl_core.datasets.scenes import UNSEEN_SEEDS, choice_items
from vl_core.datasets.scenes.vcr_files import write_vcr
from vl_core.errors import DatasetError


@pytest.fixture(autouse=True)
def server(monkeypatch, tmp_path):
    """One on which the owner has settled nothing, with a folder of its own for what it writes."""
    monkeypatch.delenv("VLINTERPRET_DATASETS", raising=False)
    monkeypatch.setenv("VLINTERPRET_CACHE", str(tmp_path / "store"))
    monkeypatch.setattr(scene_sets, "COUNT", 3)
    forget_sets()
    yield
    forget_sets()


@pytest.fixture
def listed(monkeypatch):
    """Puts a set in memory in the place of one by that name."""
    opened = {}
    monkeypatch.setattr(sets, "names", lambda: list(opened))
    monkeypatch.setattr(sets, "_open", lambda name, _: opened[name])
    return opened


def test_the_owners_sets_come_first_and_two_need_no_files(monkeypatch, tmp_path):
    """A link can name these and nothing else; no path is a name."""
    monkeypatch.setenv("VLINTERPRET_DATASETS", f"mine={tmp_path},scenes")

    assert sets.names() == ["mine", "scenes", CHOICES, SOURCES]
    for name in ("nobody", str(tmp_path), "/etc/passwd", ""):
        with pytest.raises(DatasetError, match="no data set called"):
            sets.opened(name)


def test_the_two_sets_of_scenes_are_in_the_formats_of_vcr_and_webqa():
    """Read by what reads the published ones, with pictures and truth."""
    choices, sources = sets.opened(CHOICES), sets.opened(SOURCES)

    assert (choices.kind, sources.kind) == ("VCR", "WebQA")
    assert (len(choices), len(sources)) == (3, 3)
    assert [asked.name for asked in choices[0].asked] == ["Q->A", "QA->R"]
    assert all(asked.right and len(asked.options) == 4 for asked in choices[2].asked)
    assert len(sources[1].asked[0].options) == 8
    assert choices[0].example.regions
    assert sets.is_of_scenes(CHOICES)


def test_scenes_are_written_once_and_how_far_is_told(tmp_path):
    """A set that is there is opened as it is."""
    told = []
    sets.opened(CHOICES, lambda share, sentence: told.append((share, sentence)))
    assert told == [(done / 3, f"Drawing scenes, {done} of 3 items") for done in (1, 2, 3)]

    forget_sets()
    lines = next((tmp_path / "store").rglob("val.jsonl"))
    before = lines.stat().st_mtime_ns
    told.clear()
    sets.opened(CHOICES, lambda *one: told.append(one))
    assert told == []
    assert lines.stat().st_mtime_ns == before


def test_another_process_may_write_the_same_scenes_at_the_same_time(monkeypatch, tmp_path):
    """Who comes second takes what is there, and leaves nothing behind."""
    write = scene_sets.SETS[CHOICES].write

    def overtaken(folder: Path, tell) -> None:
        write(folder, tell)
        if not any((tmp_path / "store/sets").glob("scenes-vcr-*")):
            monkeypatch.setitem(scene_sets.SETS, CHOICES, one)
            scene_sets.written(CHOICES, lambda _: None)

    one = scene_sets.SETS[CHOICES]
    monkeypatch.setitem(scene_sets.SETS, CHOICES, scene_sets.SceneSet(one.folder, overtaken))

    assert len(sets.opened(CHOICES)) == 3
    assert [path.name for path in (tmp_path / "store/sets").iterdir()] == [
        f"scenes-vcr-{vl_core.__version__}"
    ]


def test_what_was_cut_short_is_not_taken_for_a_set(monkeypatch, tmp_path):
    """The next who wants it writes it anew."""

    def cut_short(folder: Path, _) -> None:
        (folder / "vcr1images").mkdir(parents=True)
        raise OSError(28, "No space left on device")

    one = scene_sets.SETS[CHOICES]
    with monkeypatch.context() as now:
        now.setitem(scene_sets.SETS, CHOICES, scene_sets.SceneSet(one.folder, cut_short))
        with pytest.raises(DatasetError, match=r"\(No space left on device\).*VLINTERPRET_CACHE"):
            sets.opened(CHOICES)

    assert list((tmp_path / "store/sets").iterdir()) == []
    assert len(sets.opened(CHOICES)) == 3


def test_what_lies_where_is_the_owners_business(monkeypatch, tmp_path):
    """Neither of files that are gone nor of damaged ones is the path told."""
    (tmp_path / "damaged.jsonl").write_text('{"image": "a.png"}\n')
    monkeypatch.setenv("VLINTERPRET_DATASETS", f"gone={tmp_path}/x,odd={tmp_path}/damaged.jsonl")

    for name, sentence in (("gone", "not where this server looks"), ("odd", "has the columns")):
        with pytest.raises(DatasetError, match=sentence) as caught:
            sets.opened(name)
        assert str(tmp_path) not in str(caught.value)


def test_not_even_a_sentence_that_names_the_path_is_repeated(monkeypatch, tmp_path):
    """Visitors know a set by its name."""

    def refused(path, **_):
        raise DatasetError(f"{path} cannot be read: Permission denied.")

    monkeypatch.setenv("VLINTERPRET_DATASETS", f"mine={tmp_path}")
    monkeypatch.setattr(sets.datasets, "open", refused)

    with pytest.raises(DatasetError, match=r"^mine cannot be read: Permission denied\.$"):
        sets.opened("mine")


def test_the_owner_chooses_what_objects_are_called(monkeypatch, tmp_path):
    """In VCR's texts; other sets have no such names, and open as ever."""
    write_vcr(tmp_path / "scenes", choice_items(UNSEEN_SEEDS, 1), "val")
    (tmp_path / "rows.jsonl").write_text('{"image": "a.png", "question": "what?"}\n')
    monkeypatch.setenv("VLINTERPRET_DATASETS", f"vcr={tmp_path}/scenes,mine={tmp_path}/rows.jsonl")
    monkeypatch.setenv("VLINTERPRET_TAGS", "class")

    assert sets.opened("vcr").metadata["tags"] == "class"
    assert len(sets.opened("mine")) == 1


def test_a_set_whose_files_come_back_can_be_opened_then(monkeypatch, tmp_path):
    """A failure is not remembered."""
    path = tmp_path / "rows.jsonl"
    monkeypatch.setenv("VLINTERPRET_DATASETS", f"mine={path}")
    with pytest.raises(DatasetError):
        sets.opened("mine")

    path.write_text('{"image": "a.png", "question": "what?"}\n')
    assert len(sets.opened("mine")) == 1


def test_what_a_set_does_not_have_is_told_with_its_number_on_screen(listed):
    """Items, questions and options, all from 1."""
    listed["one"] = Listed((choosing("what?", "a", "b"), plain("who?")))

    assert sets.option("one", Place(0, 0, 1)).title == "b"
    for place, sentence in (
        (Place(2), "“one” has 2 items, and number 3 was"),
        (Place(-1), "number 0 was"),
        (Place(1, 1), "Of item 2 of “one” 1 things are asked, and number 2 was"),
        (Place(0, 0, 2), "Item 1 of “one” has 2 candidates or sources there, and number 3 was"),
    ):
        with pytest.raises(DatasetError, match=sentence):
            sets.option("one", place)


def test_categories_are_those_that_the_set_lists_or_else_those_of_its_items(listed, monkeypatch):
    """WebQA lists its own by split, the scenes all, and a table is looked through."""
    monkeypatch.setattr(sets, "CATEGORIES_SOUGHT", 4)
    by_split = {"split": "val", "categories": {"val": {"text": 2, "color": 5}, "train": {"x": 1}}}
    listed["webqa"] = Listed((plain("a"),), metadata=by_split)
    listed["scenes"] = Listed((plain("a"),), metadata={"categories": "side, color"})
    rows = [plain(str(n), category="late" if n == 9 else "early") for n in range(10)]
    listed["table"] = Listed((*rows[:3], None, *rows[4:]))
    listed["without"] = Listed((plain("a"),))

    assert sets.categories("webqa") == ["color", "text"]
    assert sets.categories("scenes") == ["side", "color"]
    assert sets.categories("table") == ["early", "late"]
    assert sets.categories("without") == []


def test_a_name_of_a_generated_set_means_the_owners_if_there_is_one(monkeypatch, tmp_path):
    """Then nothing is said of it that is true of the generated one only."""
    assert "generated scenes" in sets.about(CHOICES)
    (tmp_path / "rows.jsonl").write_text('{"image": "a.png", "question": "what?"}\n')
    monkeypatch.setenv("VLINTERPRET_DATASETS", f"{CHOICES}={tmp_path}/rows.jsonl")

    assert sets.names() == [CHOICES, SOURCES]
    assert sets.opened(CHOICES).kind == "table"
    assert sets.about(CHOICES) == ""
    assert not sets.is_of_scenes(CHOICES)
    assert not os.path.lexists(tmp_path / "store")

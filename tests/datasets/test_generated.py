"""Scenes as a data set, from memory and from files, and the command that writes these."""

import json
import sys
from collections import Counter

import pytest

from vl_core import datasets
from vl_core.datasets.generated import COUNT, Scenes
from vl_core.datasets.items import PLAIN, Dataset
from vl_core.datasets.scenes import (
    QUESTION_TYPES,
    TRAINING_SEEDS,
    UNSEEN_SEEDS,
    as_example,
    question_item,
)
from vl_core.datasets.scenes.__main__ import main
from vl_core.datasets.scenes.table_files import write_table
from vl_core.errors import VLError

N_TYPES = len(QUESTION_TYPES)


def test_types_take_turns_and_scenes_are_all_different():
    """So that every type is equally frequent, in every part of the set."""
    items = list(Scenes(5 * N_TYPES))

    assert [item.category for item in items] == list(QUESTION_TYPES) * 5
    assert len({item.name for item in items}) == len(items)
    assert all(int(item.name) in UNSEEN_SEEDS for item in items)
    assert not any(int(item.name) in TRAINING_SEEDS for item in items)


def test_an_item_is_the_question_and_its_scene():
    """With its answer, and boxes for the words that name objects; the same each time."""
    data = Scenes(40)
    assert isinstance(data, Dataset)
    assert len(Scenes()) == COUNT == 100 * N_TYPES
    for number in (0, 7, 39, -1):
        found = question_item(UNSEEN_SEEDS, number % 40)
        wanted, item = as_example(found.scene, found.asked), data[number]
        assert (item.text, item.answer) == (found.asked.text, found.asked.answer)
        assert [asked.name for asked in item.asked] == [PLAIN]
        assert item.example.regions == wanted.regions
        assert item.example.image.tobytes() == wanted.image.tobytes()
    for number in (40, -41):
        with pytest.raises(IndexError):
            data[number]


def test_seeds_that_do_not_suffice_are_told():
    """Of a set of one's own."""
    data = Scenes(3, range(1000, 1000 + 64 + 5))
    assert int(data[0].name) in range(1000, 1064)
    with pytest.raises(VLError, match="2 questions came of 69 seeds, and 3 were asked for"):
        data[2]


@pytest.fixture(scope="module")
def items():
    """Some of each type."""
    return [question_item(range(3_000_000, 4_000_000), number) for number in range(3 * N_TYPES)]


@pytest.fixture(scope="module")
def folder(items, tmp_path_factory):
    """The items in a folder of pictures."""
    folder = tmp_path_factory.mktemp("scenes") / "new" / "folder"
    write_table(folder, items, "val")
    return folder


def test_a_folder_gives_back_what_was_written(items, folder):
    """Pictures to the pixel, boxes with the words that name them, answers and types."""
    data = datasets.open(folder)

    assert (data.kind, len(data)) == ("folder", len(items))
    for item, written in zip(data, items, strict=True):
        wanted, example = as_example(written.scene, written.asked, 128), item.example
        assert (item.text, item.answer, item.category) == (
            wanted.text,
            wanted.answer,
            written.asked.type,
        )
        assert item.name == f"val-{written.seed}"
        assert example.image.tobytes() == wanted.image.tobytes()
        assert [(one.label, one.box) for one in example.regions] == [
            (one.label, one.box) for one in wanted.regions
        ]
        for region, right in zip(example.regions, wanted.regions, strict=True):
            assert example.text[slice(*region.span)] == example.text[slice(*right.span)]


def test_boxes_name_the_very_words_in_nearly_all_questions(items, folder):
    """A word that comes twice is told apart only in scenes of our own."""
    same = Counter(
        region.span == right.span
        for item, written in zip(datasets.open(folder), items, strict=True)
        for region, right in zip(
            item.example.regions, as_example(written.scene, written.asked).regions, strict=True
        )
    )
    assert same[True] > 20 * same[False]


def test_the_test_split_does_not_tell_the_answers(items, tmp_path):
    """All else is there."""
    write_table(tmp_path, items[:2], "test")
    data = datasets.open(tmp_path)
    assert [item.answer for item in data] == [None, None]
    assert [item.category for item in data] == ["color", "shape"]


def test_nothing_is_written_over_and_nothing_is_half_there(items, tmp_path):
    """The table comes last and whole."""
    seen = []

    def stop(number):
        seen.append(number)
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(tmp_path, items, "val", stop)
    assert seen == [1, 2]
    assert [one.name for one in tmp_path.iterdir()] == ["pictures"]

    write_table(tmp_path, items[:3], "val")
    with pytest.raises(VLError, match=r"already holds metadata\.jsonl"):
        write_table(tmp_path, items, "val")
    assert len(datasets.open(tmp_path)) == 3


def run(monkeypatch, *arguments):
    """The command with these arguments."""
    monkeypatch.setattr(sys, "argv", ["scenes", *map(str, arguments)])
    main()


@pytest.mark.parametrize(
    ("chosen", "kind"), [("folder", "folder"), ("vcr", "VCR"), ("webqa", "WebQA")]
)
def test_whatever_the_command_writes_can_be_opened(monkeypatch, tmp_path, capsys, chosen, kind):
    """So that every kind of data set runs offline."""
    run(monkeypatch, chosen, tmp_path / chosen, "--count", 6)
    data = datasets.open(tmp_path / chosen)

    assert (data.kind, len(data)) == (kind, 6)
    assert capsys.readouterr().err == "6 of 6 questions written\n"
    for item in data:
        for asked in item.asked:
            assert asked.options[-1].example().text


def test_splits_of_folders_have_scenes_of_their_own(monkeypatch, tmp_path):
    """Those for training from the seeds for training."""
    seeds = {}
    for split in ("train", "val", "test"):
        run(monkeypatch, "folder", tmp_path / split, "--count", 4, "--split", split)
        lines = (tmp_path / split / "metadata.jsonl").read_text().splitlines()
        seeds[split] = {int(json.loads(line)["id"].removeprefix(f"{split}-")) for line in lines}
    assert all(seed in TRAINING_SEEDS for seed in seeds["train"])
    assert all(seed in UNSEEN_SEEDS for seed in seeds["val"] | seeds["test"])
    assert not seeds["val"] & seeds["test"]

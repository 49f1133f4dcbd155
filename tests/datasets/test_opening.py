"""One name opens every kind of data set, and says what is known if it is none."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.builders import random_trace
from tests.datasets.pictures import folder
from vl_core import datasets
from vl_core.datasets import interpret, opening
from vl_core.datasets.items import Dataset, HoldsTraces
from vl_core.errors import DatasetError

LINE = json.dumps({"image": "a.png", "question": "what is it?"})


def made(root):
    """Of each kind that needs no writer of its own one, by its kind."""
    pictures = folder(root / "pictures", ["a.png"])
    (pictures / "metadata.jsonl").write_text(LINE)
    texts = folder(root / "texts", ["a.png"])
    (texts / "a.txt").write_text("what is it?")
    hub = root / "hub" / "data"
    hub.mkdir(parents=True)
    table = pa.table({"image": ["a.png"], "question": ["what is it?"]})
    pq.write_table(table, hub / "train-00000-of-00001.parquet")
    pq.write_table(table, root / "table.parquet")
    np.savez(root / "own.npz", tokens=["what", "is", "it?", "p"], n_text=3)
    return {
        "pictures": "folder",
        "texts": "folder",
        "pictures/metadata.jsonl": "table",
        "table.parquet": "table",
        "hub": "Hugging Face data set",
        "own.npz": "own tensors",
    }


def test_every_kind_is_found_by_what_lies_there(tmp_path):
    """By a path or its words; all offer the same."""
    for name, kind in made(tmp_path).items():
        for path in (tmp_path / name, str(tmp_path / name)):
            data = datasets.open(path)
            assert isinstance(data, Dataset)
            assert (data.kind, len(data), data[0].text) == (kind, 1, "what is it?")
            assert data.name.startswith(name.split("/")[-1])


def test_all_kinds_that_are_listed_can_be_opened():
    """Each module has both functions, and knows what is none of its own."""
    for name in opening._SOURCES:
        source = opening.import_module(f"vl_core.datasets.{name}")
        assert callable(source.opened)
        assert source.is_at(opening.Path("no such path")) is False


def test_scenes_need_no_file(tmp_path, monkeypatch):
    """Unless there is one of that name."""
    monkeypatch.chdir(tmp_path)
    assert datasets.open("scenes").kind == "scenes"
    folder(tmp_path / "scenes", ["a.png"])
    assert datasets.open("scenes", question="what?").kind == "folder"


def test_options_reach_the_kind_that_takes_them(tmp_path):
    """A split of several, a question for all pictures."""
    made(tmp_path)
    assert datasets.open(tmp_path / "hub", split="train").name == "hub, train"
    assert datasets.open(tmp_path / "texts", question="why?")[0].text == "why?"


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("table.parquet", "split", r"The option split is not for this kind: table \(\.jsonl"),
        ("own.npz", "question", r"The option question is not for this kind: \.npz files"),
        ("scenes", "split", r"The option split is not for this kind: scenes"),
        ("hub", "split", r"hub has no split 'x'; it has train"),
    ],
)
def test_an_option_that_a_kind_does_not_take_is_refused(
    tmp_path, monkeypatch, name, option, message
):
    """It would be passed over without a word."""
    made(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match=message):
        datasets.open(name, **{option: "x"})


def test_what_is_no_data_set_is_told_with_what_is_known(tmp_path):
    """And with what was found there, but not the server's folder."""
    for number in range(9):
        (tmp_path / "other" / f"{number}.md").parent.mkdir(exist_ok=True)
        (tmp_path / "other" / f"{number}.md").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.bin").write_bytes(b"x" * 1234)
    found = {
        "other": r"a folder with 0\.md, 1\.md, 2\.md, 3\.md, 4\.md, 5\.md, \.\.\.",
        "empty": "an empty folder",
        "a.bin": "a file of 1,234 bytes",
    }
    for name, said in found.items():
        known = (
            r"Known are: VL-InterpreT database .*VCR .*WebQA .*Hugging Face .*\.npz.*table.*folder"
        )
        with pytest.raises(
            DatasetError, match=rf"^{name} is no .*: it is {said}\. {known}"
        ) as told:
            datasets.open(tmp_path / name)
        assert str(tmp_path) not in str(told.value)


def test_a_path_that_is_not_there_is_told_as_it_was_given():
    """So that a slip is seen."""
    with pytest.raises(DatasetError, match=r"^There is no file or folder some/where\.$"):
        datasets.open("some/where")
    with pytest.raises(DatasetError, match=r"^x+ cannot be read: File name too long\.$"):
        datasets.open("x" * 5000)


def test_the_folder_one_is_in_has_a_name(tmp_path, monkeypatch):
    """Though its path is a dot."""
    made(tmp_path)
    monkeypatch.chdir(tmp_path / "pictures")
    for path in (".", "", "../pictures"):
        assert datasets.open(path).name == "pictures"
    monkeypatch.chdir(tmp_path / "hub" / "data")
    assert datasets.open("..").name == "hub, train"


def test_a_database_of_the_original_is_one_too(tmp_path):
    """It comes with its traces, like tensors of one's own."""
    interpret.export([random_trace(kept="weights")], tmp_path / "database")
    data = datasets.open(tmp_path / "database")
    assert isinstance(data, HoldsTraces)
    assert data.trace(0).stacks


def test_opening_data_sets_is_cheap(tmp_path):
    """Nothing large is imported for it, whichever kinds are tried."""
    made(tmp_path)
    code = f"""
import sys
from vl_core import datasets
for name in ("pictures", "texts", "own.npz"):
    assert datasets.open("{tmp_path}/" + name)[0].text
large = {{"torch", "transformers", "umap", "pyarrow", "pandas", "lmdb"}} & set(sys.modules)
assert not large, large
"""
    subprocess.run([sys.executable, "-c", code], check=True)

"""Whether a set is still the same: what changes its fingerprint, and what does not."""

import json
import os

import pytest

from tests.datasets import vcr_sample
from tests.datasets.pictures import png
from tests.datasets.webqa_files import labeled, write_questions, write_rows
from vl_core import datasets
from vl_core.datasets import fingerprints
from vl_core.datasets.fingerprints import differing, fingerprint, identity
from vl_core.errors import DatasetError


def photos(folder, texts=("what is it?", "a dog?")):
    """Pictures with a text beside each."""
    folder.mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / f"{number}.png").write_bytes(png())
        (folder / f"{number}.txt").write_text(text)
    return folder


def of(*paths):
    """The fingerprint of these files."""
    return fingerprints._of_files(paths)


def test_two_folders_of_one_name_and_length_are_told_apart(tmp_path):
    """By what is in them; where they lie makes no difference."""
    same = [datasets.open(photos(tmp_path / place / "photos")) for place in ("a", "b")]
    other = datasets.open(photos(tmp_path / "c" / "photos", ("what is it?", "a cat?")))

    assert identity(same[0]) == identity(same[1])
    assert differing(identity(other), identity(same[0])) == ["files"]


def test_the_question_for_all_pictures_counts(tmp_path):
    """It stands in no file."""
    folder = photos(tmp_path / "photos")
    one, other = (datasets.open(folder, question=asked) for asked in ("red?", "blue?"))
    assert differing(identity(one), identity(other)) == ["question"]


def test_any_byte_of_a_table_counts(tmp_path):
    """Also one in the middle, and though size and time are those of before."""
    path = tmp_path / "a.jsonl"
    row = json.dumps({"image": "a.png", "question": "is it red?"}) + "\n"
    path.write_text(row * 20_000)
    before, about = fingerprint(datasets.open(path)), path.stat()
    path.write_text(row * 10_000 + row.replace("red", "tan") + row * 9_999)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert fingerprint(datasets.open(path)) != before


@pytest.mark.parametrize("limit", [10, 2**20])
def test_a_file_that_is_not_read_whole_is_told_by_ends_size_and_time(tmp_path, monkeypatch, limit):
    """Beyond what may be read; below, time makes no difference."""
    monkeypatch.setattr(fingerprints, "MOST_READ", limit)
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(300_000))
    os.utime(path, ns=(1, 1))
    before = of(path)
    os.utime(path, ns=(1, 2))
    assert (of(path) == before) == (limit > 300_000)
    for place in (0, 299_999):
        content = bytearray(300_000)
        content[place] = 1
        path.write_bytes(content)
        os.utime(path, ns=(1, 1))
        assert of(path) != before


def test_names_and_order_count(tmp_path):
    """What is moved from one file to the next is another set."""
    for name, content in (("a", b"12"), ("b", b"3"), ("c", b"1"), ("d", b"23")):
        (tmp_path / name).write_bytes(content)
    a, b, c, d = (tmp_path / name for name in "abcd")
    assert len({of(a, b), of(b, a), of(c, d), of(a)}) == 4


def test_each_kind_tells_what_its_items_are_read_from(tmp_path):
    """Not the other splits, nor files that are put beside them later."""
    vcr = datasets.open(vcr_sample.write(tmp_path / "vcr1"))
    (tmp_path / "webqa").mkdir()
    write_questions(tmp_path / "webqa" / "WebQA_train_val.json", [labeled(1)])
    write_rows(tmp_path / "webqa", [b"30000000\tYWJj\n"])
    webqa = datasets.open(tmp_path / "webqa")

    assert [path.name for path in vcr.paths] == ["val.jsonl"]
    assert [path.name for path in webqa.paths] == ["WebQA_train_val.json", "imgs.lineidx"]
    assert datasets.open("scenes").paths == ()
    assert len(fingerprint(datasets.open("scenes"))) == 64


def test_a_file_that_is_gone_is_said(tmp_path):
    """Without the server's folder."""
    with pytest.raises(DatasetError, match=r"^gone cannot be read: No such file"):
        of(tmp_path / "gone")


def test_what_differs_is_named():
    """Down to an entry of an entry; what is no such description differs in all."""
    one = {"a": 1, "model": {"dtype": "float32", "versions": {"torch": "2.1"}}, "b": 2}
    other = {"a": 1, "model": {"dtype": "float16", "versions": {"torch": "2.2"}}, "c": 2}
    assert differing(one, other) == ["model dtype", "model versions torch", "c", "b"]
    assert differing(one, one) == []
    assert differing([1], one) == ["all"]
    assert differing({**one, "model": None}, one) == ["model"]

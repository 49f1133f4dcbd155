"""Folders of pictures, with a table or with texts."""

import json

import pytest

from tests.datasets.pictures import folder
from vl_core.datasets import folder as module
from vl_core.datasets.items import PLAIN, Dataset
from vl_core.errors import DatasetError

LINE = json.dumps({"file_name": "a.png", "question": "from the table?"})


def files(path, **texts):
    """Text files in the folder; two underscores stand for the dot."""
    for name, text in texts.items():
        (path / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "name", ["metadata.jsonl", "metadata.csv", "any name.jsonl", "other.csv", "UPPER.JSONL"]
)
def test_a_table_says_what_is_asked(tmp_path, name):
    """Whatever it is called if there is no other one."""
    root = folder(tmp_path / "set", ["a.png", "b.png"])
    text = "file_name,question\na.png,from the table?\n" if name.endswith("csv") else LINE
    (root / name).write_text(text)
    assert module.is_at(root)
    data = module.opened(root)

    assert (data.name, data.kind, len(data)) == ("set", "folder", 1)
    assert data.metadata["table"] == name
    assert data[0].text == "from the table?"
    assert data[0].example.size == (24, 18)


@pytest.mark.parametrize("usual", ["metadata.jsonl", "data.parquet"])
def test_of_several_tables_the_one_with_the_usual_name_counts(tmp_path, usual):
    """Without one it is not guessed."""
    root = folder(tmp_path / "set", ["a.png"])
    files(root, one__jsonl=LINE, other__csv="image,question\na.png,another?")
    with pytest.raises(
        DatasetError, match=r"set has several tables: one\.jsonl, other\.csv\. Name"
    ):
        module.opened(root)

    (root / usual).write_text(LINE)
    if usual.endswith("jsonl"):
        assert module.opened(root).metadata["table"] == usual
    else:  # it is the one that is read, and found to be damaged
        with pytest.raises(DatasetError, match=r"data\.parquet"):
            module.opened(root)


def test_each_picture_may_have_a_text_beside_it(tmp_path):
    """In the order of names; those without are left out and counted."""
    root = folder(tmp_path / "set", ["b.JPG", "a.png", "c.webp", "sub/d.png", "a.b.png"])
    files(root, a__txt="\ufeffwhat is\nthis?", b__txt="and this?", notes__txt="x", sub__txt="x")
    assert module.is_at(root)
    data = module.opened(root)

    assert isinstance(data, Dataset)
    assert data.metadata == {"left out, without a text": 2}
    assert [(item.name, item.text) for item in data] == [
        ("a.png", "what is this?"),
        ("b.JPG", "and this?"),
    ]
    assert data[-1].name == "b.JPG"
    assert data[0].example.size == (24, 19)
    assert [asked.name for asked in data[0].asked] == [PLAIN]


def test_one_question_may_be_for_all(tmp_path):
    """Then texts do not count."""
    root = files(folder(tmp_path / "set", ["b.png", "a.png"]), a__txt="not this")
    data = module.opened(root, question="what is it?")
    assert [(item.name, item.text) for item in data] == [
        ("a.png", "what is it?"),
        ("b.png", "what is it?"),
    ]
    assert data.metadata == {"question": "what is it?"}


def test_one_question_for_all_is_not_for_tables(tmp_path):
    """It would be passed over without a word."""
    root = files(folder(tmp_path / "set", ["a.png"]), metadata__jsonl=LINE)
    with pytest.raises(DatasetError, match=r"set has the table metadata\.jsonl, which says what"):
        module.opened(root, question="what is it?")


def test_pictures_without_any_text_are_refused(tmp_path):
    """With what could be done."""
    root = folder(tmp_path / "set", ["a.png", "b.png"])
    with pytest.raises(
        DatasetError, match=r"Nothing is asked of the 2 pictures in set\. Put a tab"
    ):
        module.opened(root)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", r"a\.png: The question is empty"), (b"\xff", r"a\.png: a\.txt is no UTF-8")],
)
def test_a_damaged_text_is_told_and_breaks_no_other(tmp_path, content, message):
    """When its item is asked for."""
    root = files(folder(tmp_path / "set", ["a.png", "b.png"]), b__txt="good?")
    (root / "a.txt").write_bytes(content)
    data = module.opened(root)
    assert data[1].text == "good?"
    with pytest.raises(DatasetError, match=message):
        data[0]


def test_a_text_that_is_a_link_out_of_the_folder_is_not_read(tmp_path):
    """A folder from an archive may hold one."""
    root = folder(tmp_path / "set", ["a.png"])
    files(tmp_path, secret__txt="secret")
    (root / "a.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(DatasetError, match=r"a\.txt' leads out"):
        module.opened(root)[0]


def test_what_has_neither_is_no_folder_of_pictures(tmp_path):
    """An empty one, one of other files, a file, nothing."""
    (tmp_path / "empty").mkdir()
    other = tmp_path / "other"
    other.mkdir()
    files(other, a__txt="x", b__json="{}")
    for path in (tmp_path / "empty", other, other / "a.txt", tmp_path / "missing"):
        assert not module.is_at(path)

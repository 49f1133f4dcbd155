"""A table by itself: the same items from JSONL, CSV and Parquet."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.datasets.pictures import folder, png
from vl_core.datasets import tables
from vl_core.datasets.items import Dataset
from vl_core.errors import DatasetError

ROWS = [
    {
        "image": "pictures/0.png",
        "question": "Is the dog,\nor the cat, red?",
        "answer": "no",
        "candidates": ["yes", "no", "a dog"],
        "boxes": [{"label": "dog", "box": [1.0, 2.0, 9.5, 11.0]}],
        "id": "first",
        "category": "color",
        "source": "web",
    },
    {
        "image": "pictures/1.png",
        "question": "Wie viele Hündchen?",
        "answer": "2",
        "candidates": ["1", "3", "2"],
        "boxes": [],
        "id": "second",
        "category": "count",
        "source": "book",
    },
]
NAMES = ["0.png", "1.png"]


def write_jsonl(path, rows):
    """One object a line."""
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")


def write_csv(path, rows):
    """Lists in JSON."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()}
            )


def write_parquet(path, rows):
    """Each row in a group of its own."""
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=1)


WRITERS = {"jsonl": write_jsonl, "csv": write_csv, "parquet": write_parquet}


@pytest.mark.parametrize("ending", list(WRITERS))
def test_all_kinds_of_tables_give_the_same_items(tmp_path, ending):
    """Pictures lie relative to the table."""
    folder(tmp_path / "pictures", NAMES)
    path = tmp_path / f"table.{ending}"
    WRITERS[ending](path, ROWS)
    assert tables.is_at(path)
    data = tables.opened(path)

    assert isinstance(data, Dataset)
    assert (data.name, data.kind, len(data)) == (path.name, "table", 2)
    assert data.metadata == {"table": path.name, "columns": ", ".join(ROWS[0])}
    for number, (item, row) in enumerate(zip(data, ROWS, strict=True)):
        assert item.name == row["id"]
        assert item.text == " ".join(row["question"].split())
        assert (item.category, item.answer) == (row["category"], row["answer"])
        assert item.facts == {"source": row["source"]}
        (asked,) = item.asked
        assert [option.title for option in asked.options] == row["candidates"]
        assert asked.right == {row["candidates"].index(row["answer"])}
        example = asked.options[1].example()
        assert example.size == (24, 18 + number)
    assert data[0].example.regions[0].span == (7, 10)
    assert data[-1].name == "second"


def test_pictures_in_parquet_are_read_one_by_one(tmp_path, monkeypatch):
    """As the Hub keeps them: bytes and a name, in groups of rows, found in their order."""
    pictures = [{"bytes": png(seed=i), "path": f"{i}.png"} for i in range(41)]
    texts = [f"picture {i}" for i in range(41)]
    table = pa.table({"image": pictures, "text": texts, "n": np.arange(41)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=19)
    data = tables.opened(tmp_path / "a.parquet")

    assert [item.text for item in data] == texts
    assert [item.facts for item in data][40] == {"n": "40"}
    for number in (0, 1, 18, 19, 37, 38, 40):
        assert data[number].example.size == (24, 18 + number)


def test_rows_of_jsonl_need_not_have_the_same_columns(tmp_path):
    """The first ones tell whether there are enough."""
    folder(tmp_path, NAMES)
    write_jsonl(tmp_path / "a.jsonl", [{"image": "0.png"}, {"file_name": "1.png", "text": "a dog"}])
    data = tables.opened(tmp_path / "a.jsonl")
    assert data[1].text == "a dog"
    with pytest.raises(DatasetError, match=r"line 1 of a\.jsonl: The question is empty"):
        data[0]


@pytest.mark.parametrize("ending", list(WRITERS))
def test_a_missing_column_is_told_beside_those_there_are(tmp_path, ending):
    """Before any item is asked for."""
    path = tmp_path / f"a.{ending}"
    WRITERS[ending](path, [{"picture": "0.png", "question": "where?"}])
    with pytest.raises(DatasetError, match=rf"a\.{ending} has the columns picture, question\. W"):
        tables.opened(path)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_an_empty_or_damaged_table_is_refused(tmp_path, ending):
    """By its name, without the server's folder."""
    path = tmp_path / f"a.{ending}"
    for content in (b"", b"\n", b"PAR1" + b"\0" * 40 + b"PAR1", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=rf"a\.{ending}") as refused:
            tables.opened(path)
        assert str(tmp_path) not in str(refused.value)


def test_names_in_a_table_lead_nowhere_else(tmp_path):
    """To what lies beside it and no further."""
    folder(tmp_path, ["secret.png"])
    (tmp_path / "set").mkdir()
    write_jsonl(tmp_path / "set" / "a.jsonl", [{"image": "../secret.png", "text": "a dog"}])
    with pytest.raises(DatasetError, match="leads out of the data set's folder"):
        _ = tables.opened(tmp_path / "set" / "a.jsonl")[0].example


def test_other_files_are_no_tables(tmp_path):
    """Nor a folder whose name ends like one."""
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "b.csv").mkdir()
    assert not tables.is_at(tmp_path / "a.json")
    assert not tables.is_at(tmp_path / "b.csv")
    assert not tables.is_at(tmp_path / "missing.csv")

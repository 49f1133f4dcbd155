"""Hugging Face data sets on disk, written here as its library writes them."""

import json
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.datasets.pictures import png
from vl_core.datasets import arrow, arrow_rows
from vl_core.datasets.items import Dataset
from vl_core.errors import DatasetError

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
BOXES = pa.list_(pa.struct([("label", pa.string()), ("box", pa.list_(pa.float32()))]))
SCHEMA = pa.schema(
    [
        ("image", IMAGE),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("candidates", pa.list_(pa.string())),
        ("boxes", BOXES),
        ("id", pa.int64()),
    ]
)


def rows(count, first=0):
    """Rows that differ in all they have."""
    return [
        {
            "image": {"bytes": png(seed=first + i), "path": f"{first + i}.png"},
            "question": f"is star {first + i} red?",
            "answer": "b",
            "candidates": ["a", "b", f"c{first + i}"],
            "boxes": [{"label": "star", "box": [1, 2, 9.5, 11 + first + i]}],
            "id": 100 + first + i,
        }
        for i in range(count)
    ]


def save_split(path, parts, batch=2, state=None):
    """As `Dataset.save_to_disk` writes: a stream for each part, in batches, and its description."""
    path.mkdir(parents=True, exist_ok=True)
    names = [f"data-{i:05}-of-{len(parts):05}.arrow" for i in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        table = pa.Table.from_pylist(part, SCHEMA)
        with pa.OSFile(str(path / name), "wb") as file, pa.ipc.new_stream(file, SCHEMA) as stream:
            for record in table.to_batches(max_chunksize=batch):
                stream.write_batch(record)
    files = [{"filename": name} for name in names]
    known = {"_data_files": files, "_fingerprint": "0", "_split": path.name} | (state or {})
    (path / "state.json").write_text(json.dumps(known))
    (path / "dataset_info.json").write_text(json.dumps({"features": {}}))
    return path


def save_splits(path, names):
    """As `DatasetDict.save_to_disk` writes."""
    for place, name in enumerate(names):
        save_split(path / name, [rows(2, 10 * place)])
    (path / "dataset_dict.json").write_text(json.dumps({"splits": names}))
    return path


def save_shards(path, shards):
    """As the Hub keeps them."""
    path.mkdir(parents=True, exist_ok=True)
    for name, part in shards.items():
        pq.write_table(pa.Table.from_pylist(part, SCHEMA), path / name, row_group_size=2)


def check_rows(data, wanted):
    """All that the rows say comes out."""
    assert isinstance(data, Dataset)
    assert len(data) == len(wanted)
    for item, row in zip(data, wanted, strict=True):
        assert (item.text, item.name, item.answer) == (row["question"], str(row["id"]), "b")
        (asked,) = item.asked
        assert [one.title for one in asked.options] == row["candidates"]
        assert asked.right == {1}
        example = asked.options[2].example()
        assert example.size[1] == 18 + row["id"] - 100
        assert example.regions[0].box == tuple(row["boxes"][0]["box"])
        assert example.regions[0].span == (3, 7)


def test_a_saved_split_is_read_in_its_parts_and_batches(tmp_path):
    """In the order of its state, whatever else lies there."""
    path = save_split(tmp_path / "mine", [rows(5), rows(1, 5), rows(4, 6)])
    (path / "cache-1.arrow").write_bytes(b"another")
    assert arrow.is_at(path)
    data = arrow.opened(path)

    check_rows(data, rows(10))
    assert (data.name, data.kind) == ("mine", "Hugging Face data set")
    assert data.metadata == {"files": 3, "columns": ", ".join(SCHEMA.names)}
    assert data[-1].name == "109"


@pytest.mark.parametrize(
    ("names", "split", "chosen"),
    [
        (["train", "test", "validation"], "", "validation"),
        (["train", "val", "test"], "", "val"),
        (["train", "test"], "", "test"),
        (["train", "extra"], "", "train"),
        (["extra", "more"], "", "extra"),
        (["train", "test"], "train", "train"),
    ],
)
@pytest.mark.parametrize("is_saved", [True, False])
def test_of_several_splits_one_is_opened(tmp_path, names, split, chosen, is_saved):
    """The first of validation, val, dev, test, train that is there, unless one is named."""
    path = tmp_path / "mine"
    if is_saved:
        save_splits(path, names)
    else:
        parts = {f"{name}-00000-of-00001.parquet": rows(2, 10 * i) for i, name in enumerate(names)}
        save_shards(path / "data", parts)
    assert arrow.is_at(path)
    data = arrow.opened(path, split)

    check_rows(data, rows(2, 10 * names.index(chosen)))
    assert data.name == f"mine, {chosen}"


@pytest.mark.parametrize("is_saved", [True, False])
def test_a_split_that_is_not_there_is_told_beside_those_that_are(tmp_path, is_saved):
    """By name."""
    if is_saved:
        save_splits(tmp_path / "mine", ["train", "test"])
    else:
        names = ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet")
        save_shards(tmp_path / "mine", {name: rows(1) for name in names})
    with pytest.raises(DatasetError, match=r"mine has no split 'dev'; it has (train|test), t"):
        arrow.opened(tmp_path / "mine", "dev")


def test_a_split_by_itself_has_no_other(tmp_path):
    """The folder above has."""
    path = save_split(tmp_path / "train", [rows(1)])
    with pytest.raises(DatasetError, match="train is one split by itself"):
        arrow.opened(path, "train")


@pytest.mark.parametrize("folder", ["", "data"])
def test_shards_of_a_split_follow_each_other(tmp_path, folder):
    """In the folder itself or in "data"; other splits and files are left alone."""
    shards = {f"dev-0000{i}-of-00003.parquet": rows(3, 3 * i) for i in (2, 0, 1)}
    others = {"train-00000-of-00001.parquet": rows(1, 50), "more.parquet": rows(1, 60)}
    save_shards(tmp_path / folder, shards | others)
    check_rows(arrow.opened(tmp_path), rows(9))


def test_pictures_are_read_for_one_row_alone(tmp_path, monkeypatch):
    """A row without its picture takes no column of bytes with it."""
    save_shards(tmp_path, {"train-00000-of-00001.parquet": rows(6)})
    read = []
    file = arrow_rows.pq.ParquetFile
    monkeypatch.setattr(
        file,
        "read_row_group",
        lambda self, i, names: read.append(names) or original(self, i, names),
    )
    data = arrow.opened(tmp_path)
    assert [item.text for item in data] == [row["question"] for row in rows(6)]
    assert len(read) == 3  # groups of two rows, each once
    assert all("image" not in names for names in read)


original = arrow_rows.pq.ParquetFile.read_row_group


def test_groups_too_large_are_refused(tmp_path, monkeypatch):
    """By what the file says of them; the limit itself passes."""
    path = tmp_path / "train-00000-of-00001.parquet"
    save_shards(tmp_path, {path.name: rows(6)})
    metadata = pq.ParquetFile(path).metadata
    largest = max(metadata.row_group(i).total_byte_size for i in range(3))
    monkeypatch.setattr(arrow_rows, "MOST_GROUP_BYTES", largest)
    assert len(arrow.opened(tmp_path)) == 6
    monkeypatch.setattr(arrow_rows, "MOST_GROUP_BYTES", largest - 1)
    with pytest.raises(DatasetError, match=r"a group of rows of 0 MiB, which .* at most 0 are"):
        arrow.opened(tmp_path)


def test_fewer_rows_than_none_are_refused():
    """A damaged file may say so; a group may be empty."""
    arrow_rows._check_group("a.parquet", 0, 0)
    with pytest.raises(DatasetError, match=r"a\.parquet is damaged: it has a group of -1 rows"):
        arrow_rows._check_group("a.parquet", -1, 0)


@pytest.mark.parametrize("old", [b"question", b"image"])
def test_names_of_columns_that_are_no_text_are_refused(tmp_path, old):
    """However a file was damaged, it is told in one sentence."""
    path = save_split(tmp_path / "mine", [rows(1)]) / "data-00000-of-00001.arrow"
    path.write_bytes(path.read_bytes().replace(old, b"\xff" * len(old), 1))
    with pytest.raises(DatasetError, match=r"data-00000-of-00001\.arrow is damaged"):
        arrow.opened(path.parent)


def test_damage_is_told_in_one_line(tmp_path):
    """Though the reader's own words go over several."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": ["a.png"] * 9, "question": ["red?"] * 9}), path)
    content = bytearray(path.read_bytes())
    content[4:8] = b"\xff" * 4
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"^a\.parquet is damaged or no such file: [^\n]+\.$"):
        arrow_rows.ParquetRows(path)[0]


def test_offsets_that_lead_out_of_the_file_are_found(tmp_path):
    """They would be followed anywhere in memory; other rows can be read."""
    path = save_split(tmp_path / "mine", [rows(3)], batch=3) / "data-00000-of-00001.arrow"
    content = path.read_bytes()
    length = len("is star 0 red?")
    right, wrong = (
        struct.pack("<4i", 0, *ends)
        for ends in ((length, 2 * length, 3 * length), (length, 2 * length, 2**31 - 99))
    )
    assert content.count(right) == 1
    path.write_bytes(content.replace(right, wrong))
    with pytest.raises(DatasetError, match=r"data-00000-of-00001\.arrow is damaged"):
        arrow.opened(path.parent)[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_data_files": []}, r"mine names no file with data"),
        ({"_data_files": None}, r"mine names no file with data"),
        ({"_data_files": {"a": 1}}, r"state\.json is damaged: _data_files is no list"),
        ({"_data_files": [{"filename": "../b.arrow"}]}, r"leads out of the data set's folder"),
        ({"_data_files": [{"filename": "gone.arrow"}]}, r"gone\.arrow is damaged or no such file"),
        ({"_data_files": ["a"]}, r"state\.json is damaged: _data_files does not name files"),
        ({"_indices_data_files": [{"filename": "i.arrow"}]}, r"Call flatten_indices\(\) on it"),
    ],
)
def test_a_state_that_is_wrong_is_refused(tmp_path, change, message):
    """In one sentence, without the server's folder."""
    (tmp_path / "b.arrow").write_bytes(b"x")
    path = save_split(tmp_path / "mine", [rows(1)], state=change)
    with pytest.raises(DatasetError, match=message) as refused:
        arrow.opened(path)
    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"[" * 100_000, b"\xff"])
def test_a_damaged_description_is_refused(tmp_path, content):
    """Of a split and of several."""
    one = save_split(tmp_path / "one", [rows(1)])
    several = save_splits(tmp_path / "several", ["train"])
    (one / "state.json").write_bytes(content)
    (several / "dataset_dict.json").write_bytes(content)
    for path in (one, several):
        with pytest.raises(DatasetError, match=r"\.json is damaged"):
            arrow.opened(path)


@pytest.mark.parametrize("keep", [0, 10, 500, -100])
@pytest.mark.parametrize(
    "name", ["mine/data-00000-of-00001.arrow", "data/dev-00000-of-00001.parquet"]
)
def test_a_file_that_is_cut_short_is_refused_by_name(tmp_path, name, keep):
    """When it is opened, or when a row is asked for, and never in another way."""
    save_split(tmp_path / "mine", [rows(6)])
    save_shards(tmp_path / "data", {"dev-00000-of-00001.parquet": rows(6)})
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:keep])
    path = tmp_path / "mine" if name.endswith("arrow") else tmp_path
    with pytest.raises(DatasetError, match=name.split("/")[1]) as refused:
        _ = [item.example for item in arrow.opened(path)]
    assert str(tmp_path) not in str(refused.value)


def test_columns_that_are_missing_are_told(tmp_path):
    """Beside those there are."""
    table = pa.table({"image": ["a.png"], "label": [1]})
    pq.write_table(table, tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(DatasetError, match=r", train has the columns image, label\. Wanted are"):
        arrow.opened(tmp_path)


def test_other_folders_are_none(tmp_path):
    """Nor files, nor a state of something else."""
    (tmp_path / "state.json").write_text("{}")
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    assert not arrow.is_at(tmp_path)
    assert not arrow.is_at(tmp_path / "state.json")
    assert not arrow.is_at(tmp_path / "missing")

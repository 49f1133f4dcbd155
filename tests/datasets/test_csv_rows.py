"""CSV files by row: as the csv module reads them whole, without keeping any."""

import csv
import io
import random
import tracemalloc

import pytest

from vl_core.datasets.csv_rows import CsvRows
from vl_core.errors import DatasetError


def written(path, content):
    """A file of these bytes."""
    path.write_bytes(content)
    return path


def random_table(rng, count):
    """Rows of awkward cells, as a spreadsheet may hold them."""
    pieces = ["a", ",", '"', "\n", "\r\n", "é", "\u2028", "\x0b", " ", "'", ";", "\t"]
    columns = ["image", "question", "boxes"]
    return columns, [
        ["".join(rng.choices(pieces, k=rng.randrange(6))) + "x" for _ in columns]
        for _ in range(count)
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("has_last_end", [True, False])
def test_every_row_is_found_by_its_number(tmp_path, end, mark, has_last_end):
    """With line breaks, quotes and blank rows, as the csv module finds it."""
    columns, table = random_table(random.Random(f"{end}{mark}"), 200)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(columns)
    starts = []
    for number, row in enumerate(table):
        if number % 7 == 0:
            text.write(end)
        starts.append(text.getvalue().count("\n") + 1)
        writer.writerow(row)
    content = text.getvalue() if has_last_end else text.getvalue().removesuffix(end)
    rows = CsvRows(written(tmp_path / "a.csv", mark + content.encode()))

    assert rows.columns == columns
    assert len(rows) == 200
    read = [[rows[number][column] for column in columns] for number in range(200)]
    assert read == table
    assert rows[-1] == rows[199]
    assert [rows.named(i) for i in range(200)] == [f"line {line} of a.csv" for line in starts]


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"a,b", b"\n\n"])
def test_a_file_without_rows_is_empty(tmp_path, content):
    """Whether or not it has columns."""
    rows = CsvRows(written(tmp_path / "a.csv", content))
    assert len(rows) == 0
    with pytest.raises(IndexError):
        rows[0]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"1,2,3", r"line 4 of a\.csv has 3 cells for 2 columns\. Put cells that hold a comma in"),
        (b"1", r"line 4 of a\.csv has 1 cell for 2 columns"),
        (b"1,\xff", r"line 4 of a\.csv is no UTF-8"),
    ],
)
def test_a_damaged_row_is_told_and_breaks_no_other(tmp_path, row, reason):
    """With the line that it begins in."""
    rows = CsvRows(written(tmp_path / "a.csv", b'a,b\n"0\n0",0\n' + row + b"\n2,2\n"))
    assert rows[0] == {"a": "0\n0", "b": "0"}
    assert rows[2] == {"a": "2", "b": "2"}
    with pytest.raises(DatasetError, match=reason):
        rows[1]


@pytest.mark.parametrize(
    "content",
    [b'a,b\n1,2\n3,"4\n5,6\n7,8\n', b'a,b\n1,2\n3,"4" 5\n', b'a,b\n1,2\n"' + b"x" * 140_000],
)
def test_quotes_that_do_not_match_are_refused_with_their_line(tmp_path, content):
    """As nothing after them can be told apart."""
    with pytest.raises(DatasetError, match=r"begins in line 3 of a\.csv is no CSV: .*each must be"):
        CsvRows(written(tmp_path / "a.csv", content))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b\n1,2\n".encode("utf-16"), r"a\.csv is UTF-16\. Save it as UTF-8"),
        (b"a,b\r1,2\r", r"a\.csv ends its lines with a carriage return alone"),
    ],
)
def test_other_encodings_and_line_ends_are_named(tmp_path, content, reason):
    """What to do is said with it."""
    with pytest.raises(DatasetError, match=reason):
        CsvRows(written(tmp_path / "a.csv", content))


def test_a_missing_file_is_told_by_name_alone(tmp_path):
    """Also if it goes while it is open."""
    path = written(tmp_path / "a.csv", b"a\n1\n")
    rows = CsvRows(path)
    path.unlink()
    for read in (lambda: rows[0], lambda: CsvRows(path)):
        with pytest.raises(DatasetError, match=r"a\.csv cannot be read: No such file") as refused:
            read()
        assert str(tmp_path) not in str(refused.value)


def test_rows_are_not_kept(tmp_path):
    """A long file takes 16 bytes a row."""
    path = written(tmp_path / "a.csv", b"a,b\n" + b"x" * 900 + b',"y"\n' + (b"z,y\n" * 20_000))
    tracemalloc.start()
    rows = CsvRows(path)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(rows) == 20_001
    assert kept < 16 * 20_001 * 1.1

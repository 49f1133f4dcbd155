"""WebQA's pictures by the offset of their line."""

import base64

import numpy as np
import pytest

from tests.datasets.webqa_files import FIRST, row, write_rows
from vl_core.datasets.webqa import pictures
from vl_core.datasets.webqa.pictures import opened_pictures
from vl_core.errors import DatasetError

CONTENTS = [b"first", b"second, longer", b"", bytes(range(256)) * 3]


@pytest.fixture
def folder(tmp_path):
    """Four lines of different lengths."""
    write_rows(tmp_path, [row(number, content) for number, content in enumerate(CONTENTS)])
    return tmp_path


def test_each_picture_is_found_by_its_number(folder):
    """In any order, byte for byte."""
    found = opened_pictures(folder)
    assert len(found) == 4
    for number in (3, 0, 2, 1, 3):
        assert found.content(FIRST + number) == CONTENTS[number]


def test_the_line_is_the_number_modulo_ten_million(tmp_path):
    """Whatever range the numbers are from."""
    lines = [b"%d\t%s\n" % (n, base64.b64encode(b"%d" % n)) for n in (50_000_000, 7_770_000_001)]
    write_rows(tmp_path, lines)
    for number in (50_000_000, 7_770_000_001):
        assert opened_pictures(tmp_path).content(number) == b"%d" % number


def test_lines_may_stand_in_any_order(folder):
    """Offsets say where; nothing is derived from the next one."""
    lines = [row(number, content) for number, content in enumerate(CONTENTS)]
    (folder / "imgs.tsv").write_bytes(b"".join(reversed(lines)))
    lengths = [len(line) for line in lines]
    offsets = [sum(lengths[number + 1 :]) for number in range(4)]
    (folder / "imgs.lineidx").write_text("\n".join(map(str, offsets)))
    found = opened_pictures(folder)
    assert [found.content(FIRST + number) for number in range(4)] == CONTENTS


def test_lines_of_another_system_are_read(folder):
    """Their ends have two characters."""
    lines = [row(number, content)[:-1] + b"\r\n" for number, content in enumerate(CONTENTS)]
    write_rows(folder, lines)
    offsets = (folder / "imgs.lineidx").read_bytes().replace(b"\n", b"\r\n")
    (folder / "imgs.lineidx").write_bytes(offsets)
    assert opened_pictures(folder).content(FIRST + 1) == CONTENTS[1]


@pytest.mark.parametrize("name", ["imgs.tsv", "imgs.lineidx"])
def test_there_are_none_without_both_files(folder, name):
    """Which is for the caller to say."""
    (folder / name).unlink()
    assert opened_pictures(folder) is None


@pytest.mark.parametrize("number", [FIRST + 4, FIRST + 9_999_999])
def test_a_number_beyond_the_offsets_is_refused(folder, number):
    """With how many there are."""
    with pytest.raises(DatasetError, match=rf"Picture {number} has no line .* has 4\."):
        opened_pictures(folder).content(number)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (row(2, b"whole"), "begins with b'30000002' and not with its number"),
        (b"%d %s\n" % (FIRST + 1, base64.b64encode(b"x")), "not with its number"),
        (b"\n", "begins with b'' and not"),
        (b"%d\t%s" % (FIRST + 1, base64.b64encode(b"xyz")[:-1]), "is not base64"),
        (b"%d\tab&de===\n" % (FIRST + 1), "is not base64"),
        (b"%d\tabcde\n" % (FIRST + 1), "is not base64"),
        (b"%d\tYWJj\tYWJj\n" % (FIRST + 1), "is not base64"),
        (b"%d\t\xff\xfe\n" % (FIRST + 1), "is not base64"),
    ],
)
def test_a_line_that_is_damaged_is_refused(tmp_path, line, reason):
    """That one only."""
    write_rows(tmp_path, [row(0, b"fine"), line])
    found = opened_pictures(tmp_path)
    with pytest.raises(DatasetError, match=f"Picture {FIRST + 1}: .*{reason}"):
        found.content(FIRST + 1)
    assert found.content(FIRST) == b"fine"


def test_the_last_line_may_have_no_end(tmp_path):
    """Not every writer puts a line break there."""
    write_rows(tmp_path, [row(0, b"fine"), row(1, b"as well").rstrip(b"\n")])
    assert opened_pictures(tmp_path).content(FIRST + 1) == b"as well"


def test_a_line_without_end_is_not_read_whole(folder, monkeypatch):
    """No more than the largest picture that is shown."""
    monkeypatch.setattr(pictures, "_MOST_ROW_BYTES", 500)
    found = opened_pictures(folder)
    assert found.content(FIRST + 1) == CONTENTS[1]
    with pytest.raises(DatasetError, match="is too long"):
        found.content(FIRST + 3)


@pytest.mark.parametrize(
    ("offset", "reason"),
    [("-1", "cannot be read"), ("1000000", "beyond the end"), (str(2**62), "beyond|cannot be")],
)
def test_an_offset_that_leads_nowhere_is_refused(folder, offset, reason):
    """With the offset."""
    (folder / "imgs.lineidx").write_text(f"0\n{offset}\n")
    with pytest.raises(DatasetError, match=rf"Picture {FIRST + 1}: .*{offset}.*({reason})"):
        opened_pictures(folder).content(FIRST + 1)


@pytest.mark.parametrize(
    "content", [b"0\nabc\n", b"0\n1.5\n", b"0\n\n17\n", b"0 17\n", b"9" * 30, b"\xff\n"]
)
def test_offsets_that_are_no_whole_numbers_are_refused(folder, content):
    """At opening."""
    (folder / "imgs.lineidx").write_bytes(content)
    with pytest.raises(DatasetError, match=r"imgs\.lineidx is not a list of offsets"):
        opened_pictures(folder)


def test_a_list_of_offsets_that_is_too_long_is_not_read(folder, monkeypatch):
    """It would be no such list."""
    monkeypatch.setattr(pictures, "_MOST_OFFSET_BYTES", 10)
    with pytest.raises(DatasetError, match=r"imgs\.lineidx is not a list of offsets"):
        opened_pictures(folder)


def test_no_path_of_the_server_is_told(folder):
    """Whatever goes wrong."""
    found = opened_pictures(folder)
    (folder / "imgs.tsv").unlink()
    with pytest.raises(DatasetError, match="cannot be read") as raised:
        found.content(FIRST)
    assert str(folder) not in str(raised.value)


def test_offsets_may_be_beyond_four_gigabytes(folder):
    """WebQA's own file has some fifty."""
    assert opened_pictures(folder).offsets.dtype == np.int64

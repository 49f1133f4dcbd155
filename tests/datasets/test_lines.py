"""JSONL files: found by number, cheap to open, and damage told with its line."""

import json
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from vl_core.datasets import lines as module
from vl_core.datasets.lines import Lines
from vl_core.errors import DatasetError


def written(path, content):
    """A file of these bytes."""
    path.write_bytes(content)
    return path


def random_lines(rng, count):
    """Lines as a file may hold them, some of them blank, with the objects they give."""
    objects, lines = [], []
    for number in range(count):
        blanks = rng.choices([b"", b"", b"  ", b"\t", b"\r"], k=rng.randrange(3))
        lines += blanks
        objects.append({"n": number, "text": "é\u2028x" * rng.randrange(9)})
        lead = rng.choice([b"", b"  "])
        lines.append(lead + json.dumps(objects[-1], ensure_ascii=False).encode())
    return objects, lines


@pytest.mark.parametrize("block", [7, 64, 4 * 2**20])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("tail", [b"", b"end", b"  "])
def test_every_object_is_found_by_its_number(tmp_path, monkeypatch, block, end, mark, tail):
    """As a plain reader finds it, wherever blocks end, with blank lines, marks and line ends."""
    monkeypatch.setattr(module, "_BLOCK_BYTES", block)
    objects, lines = random_lines(random.Random(f"{block}{end}{mark}"), 37)
    content = mark + end.join(lines) + (b"" if tail == b"end" else end + tail)
    found = Lines(written(tmp_path / "a.jsonl", content))

    assert len(found) == 37
    assert [found[i] for i in range(37)] == objects
    assert found[-1] == objects[-1]
    plain = content.removeprefix(mark).split(b"\n")
    filled = [number + 1 for number, line in enumerate(plain) if line.strip()]
    assert [found.named(i) for i in range(37)] == [f"line {i} of a.jsonl" for i in filled]


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_objects_is_empty(tmp_path, content):
    """And has no first one."""
    found = Lines(written(tmp_path / "a.jsonl", content))
    assert len(found) == 0
    with pytest.raises(IndexError):
        found[0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"n": 1', r"line 3 of a\.jsonl is no JSON: .*Each line must hold one whole object"),
        (b"[" * 100_000, r"line 3 of a\.jsonl is no JSON"),
        (b"[1, 2]", r"line 3 of a\.jsonl holds a JSON list; an object is wanted"),
        (b'{"n": "\xff"}', r"line 3 of a\.jsonl is no UTF-8: invalid start byte at its byte 8"),
        (b'{"n": ' + b"9" * 5000 + b"}", r"line 3 of a\.jsonl is no JSON"),
        ('{"n": 1}'.encode("utf-16"), r"line 3 of a\.jsonl is no UTF-8"),
    ],
)
def test_a_damaged_line_is_told_and_breaks_no_other(tmp_path, line, reason):
    """With the file's name and the line's number as an editor counts, when it is asked for."""
    found = Lines(written(tmp_path / "a.jsonl", b'{"n": 0}\n\n' + line + b'\n{"n": 2}\n'))

    assert found[0] == {"n": 0}
    assert found[len(found) - 1] == {"n": 2}
    with pytest.raises(DatasetError, match=reason):
        found[1]


def test_one_endless_line_is_refused(tmp_path, monkeypatch):
    """As of another kind of file, before it is all in memory."""
    monkeypatch.setattr(module, "MOST_LINE_BYTES", 2**20)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 2**16)
    path = written(tmp_path / "a.jsonl", b"x" * 2**25)
    tracemalloc.start()
    with pytest.raises(DatasetError, match=r"a\.jsonl has a line of more than 1 MiB"):
        Lines(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**23


def test_a_missing_file_is_told_by_name_alone(tmp_path):
    """The server's folder is nobody's business, also if it goes while it is open."""
    path = written(tmp_path / "a.jsonl", b"{}\n")
    found = Lines(path)
    path.unlink()
    for read in (lambda: found[0], lambda: Lines(path)):
        with pytest.raises(DatasetError, match=r"a\.jsonl cannot be read: No such file") as refused:
            read()
        assert str(tmp_path) not in str(refused.value)


def test_a_long_file_is_opened_without_reading_its_objects(tmp_path):
    """The index takes 24 bytes a line, and a block or two of the file."""
    line = json.dumps({"text": "x" * 1980}).encode() + b"\n"
    path = written(tmp_path / "a.jsonl", line * 20_000)
    tracemalloc.start()
    found = Lines(path)
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(found) == 20_000
    assert kept < 24 * 20_000 * 1.1
    assert most < 5 * module._BLOCK_BYTES


def test_many_threads_read_one_file(tmp_path):
    """Each gets its own line whole."""
    objects, lines = random_lines(random.Random(3), 300)
    found = Lines(written(tmp_path / "a.jsonl", b"\n".join(lines)))
    numbers = random.Random(4).choices(range(300), k=2000)

    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(found.__getitem__, numbers))
    assert read == [objects[number] for number in numbers]

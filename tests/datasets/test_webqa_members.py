"""The scanner of large JSON objects, against the standard library's reader."""

import json
import random

import pytest

from vl_core.datasets.webqa import members
from vl_core.errors import DatasetError

PIECES = ("{", "}", "[", "]", '"', "\\", "\\\\", ",", ":", "é", "漢", " ", "word", '\\"', "\n", "")


def text(rng):
    """All that a reader of JSON could stumble over."""
    return "".join(rng.choice(PIECES) for _ in range(rng.randrange(9)))


def value(rng, depth):
    """Anything, at most six levels deep."""
    kind = rng.randrange(6) if depth < 5 else rng.randrange(3)
    if kind > 3:
        return {text(rng) + str(n): value(rng, depth + 1) for n in range(rng.randrange(4))}
    if kind == 3:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return (text(rng), rng.random(), None)[kind]


def made(seed):
    """An object of objects and lists of anything, in one of several ways to write it down."""
    rng = random.Random(seed)
    told = {
        text(rng) + str(number): {text(rng): value(rng, 1) for _ in range(rng.randrange(1, 6))}
        if rng.random() < 0.8
        else [value(rng, 1) for _ in range(rng.randrange(3))]
        for number in range(rng.randrange(7))
    }
    indent, ascii_only = rng.choice([None, 0, 3]), rng.random() < 0.5
    return told, json.dumps(told, indent=indent, ensure_ascii=ascii_only).encode()


def emptied(one):
    """The plain definition of an outline."""
    each = one.items() if isinstance(one, dict) else enumerate(one)
    inner = [(key, type(own)() if isinstance(own, dict | list) else own) for key, own in each]
    return dict(inner) if isinstance(one, dict) else [own for _, own in inner]


@pytest.fixture
def found_in(tmp_path):
    """Members of a file with this content, as they are found."""
    path = tmp_path / "questions.json"

    def found_in(content):
        path.write_bytes(content)
        with path.open("rb") as file:
            yield from members.members(file, path.name)

    return found_in


@pytest.mark.parametrize(
    ("block", "n_objects"), [(1, 12), (2, 20), (3, 30), (7, 60), (64, 150), (2**22, 150)]
)
def test_members_are_those_of_the_standard_reader(monkeypatch, found_in, block, n_objects):
    """Keys, bytes and outlines, wherever blocks end: in strings, escapes, letters, keys."""
    monkeypatch.setattr(members, "BLOCK", block)
    n_members = 0
    for seed in range(n_objects):
        told, content = made(seed)
        found = list(found_in(content))
        assert [one.key for one in found] == list(told)
        for one, expected in zip(found, told.values(), strict=True):
            assert json.loads(content[one.start : one.end]) == expected
            assert json.loads(one.outline) == emptied(expected)
        n_members += len(found)
    assert n_members > 2 * n_objects


def test_byte_order_marks_and_blanks_around_are_passed_over(found_in):
    """As editors leave them."""
    content = b'\xef\xbb\xbf \n{ "a" : {"b": 1} \n, "c":[2]}\n\n'
    assert [(one.key, content[one.start : one.end]) for one in found_in(content)] == [
        ("a", b'{"b": 1}'),
        ("c", b"[2]"),
    ]


def test_an_empty_object_has_no_members(found_in):
    """Which is not an error here."""
    assert list(found_in(b" { } ")) == []


@pytest.mark.parametrize(
    ("content", "n_before", "place"),
    [
        (b"", 0, 0),
        (b"  ", 0, 0),
        (b'[{"a": 1}]', 0, 0),
        (b'"a"', 0, 0),
        (b'{"a": {"b": 1}', 1, 14),
        (b'{"a": {"b": 1}, "c": {"d', 1, 14),
        (b'{"a": {"b": "}}}', 0, 0),
        (b'{"a": {"b": 1}}}', 1, 14),
        (b'{"a": {"b": 1}} {"c": {}}', 1, 14),
        (b'{"a": {"b": 1}, "c": 5, "d": {}}', 1, 14),
        (b'{"a": {"b": 1}, "c": 5}', 1, 14),
        (b'{"a": {"b": 1} "c": {}}', 1, 14),
        (b'{"a": {"b": 1},, "c": {}}', 1, 14),
        (b'{a: {"b": 1}}', 0, 0),
        (b'{"a" {"b": 1}}', 0, 0),
        (b'{"\xff": {"b": 1}}', 0, 0),
        (b'{"\\x": {"b": 1}}', 0, 0),
        (b"PK\x03\x04 no json at all", 0, 0),
    ],
)
@pytest.mark.parametrize("block", [1, 5, 2**22])
def test_what_is_no_object_of_objects_is_refused(
    monkeypatch, found_in, content, n_before, place, block
):
    """After the members before the damage; the message says behind which byte it lies."""
    monkeypatch.setattr(members, "BLOCK", block)
    found = found_in(content)
    for _ in range(n_before):
        next(found)
    with pytest.raises(DatasetError, match=rf"questions.json is damaged.* byte {place}\. Wanted"):
        next(found)


def test_a_member_without_end_is_not_read_to_the_end(monkeypatch, tmp_path):
    """A file that is something else must not be taken into memory."""
    monkeypatch.setattr(members, "BLOCK", 64)
    monkeypatch.setattr(members, "MOST_BYTES", 1000)
    path = tmp_path / "questions.json"
    path.write_bytes(b'{"a": {"b": 1}, "c": {"d": "' + b"x" * 100_000)
    with path.open("rb") as file:
        found = members.members(file, path.name)
        assert next(found).key == "a"
        with pytest.raises(DatasetError, match=r"From byte 14 on questions.json has no end"):
            next(found)
        assert file.tell() < 2000

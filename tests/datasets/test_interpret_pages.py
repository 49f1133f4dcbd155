"""LMDB files are read as LMDB reads them, and never crash the process that reads them."""

import random
import struct

import lmdb
import pytest

from vl_core.datasets.interpret import lmdb_pages
from vl_core.errors import DatasetError

MOST = 2**20
PAGE = 4096


def _written(folder, values, **options):
    """A file with these values, written by LMDB; a page is then rewritten as it would be in use."""
    folder.mkdir()
    with lmdb.open(str(folder), map_size=2**28, lock=False, **options) as environment:
        for start in range(0, len(values), 97):
            with environment.begin(write=True) as transaction:
                for key in list(values)[start : start + 97]:
                    transaction.put(key, b"before")
                    transaction.put(key, values[key])
    return folder / "data.mdb"


def _values(count, seed=0):
    """From nothing to several pages, around the size from which LMDB gives a value own pages."""
    rng = random.Random(seed)
    sizes = (0, 1, 300, 1500, 2030, 2031, 2032, 2033, 2034, 5000, 20_000)
    return {b"%d" % i: rng.randbytes(rng.choice(sizes)) for i in range(count)}


def _read(path):
    return {
        key: lmdb_pages.content(path, place, MOST) for key, place in lmdb_pages.places(path).items()
    }


@pytest.mark.parametrize("count", [0, 1, 2, 50, 3000])
def test_every_value_is_found(tmp_path, count):
    """One page or a tree of them, small values and large ones."""
    values = _values(count)

    assert _read(_written(tmp_path / "db", values)) == values


def test_what_was_deleted_is_gone(tmp_path):
    """Pages that are free again hold old values, which no longer count."""
    values = _values(400)
    path = _written(tmp_path / "db", values)
    gone = list(values)[::3]
    with (
        lmdb.open(str(path.parent), map_size=2**28, lock=False) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key in gone:
            transaction.delete(key)

    assert _read(path) == {key: value for key, value in values.items() if key not in gone}


def test_the_map_size_that_a_file_claims_does_not_matter(tmp_path):
    """Nothing is mapped, so neither 0 nor 16 exabytes do any harm."""
    values = _values(20)
    path = _written(tmp_path / "db", values)
    for claimed in (0, 2**64 - 1):
        content = bytearray(path.read_bytes())
        for meta in (0, PAGE):
            struct.pack_into("<Q", content, meta + 32, claimed)
        path.write_bytes(content)

        assert _read(path) == values


def _newest(content):
    return max((0, PAGE), key=lambda at: struct.unpack_from("<Q", content, at + 144)[0])


def _root(content):
    return struct.unpack_from("<Q", content, _newest(content) + 128)[0]


def _branch_to_itself(content):
    root = _root(content) * PAGE
    (node,) = struct.unpack_from("<H", content, root + 16)
    struct.pack_into("<HHH", content, root + node, _root(content), 0, 0)


def _huge_page(content):
    for meta in (0, PAGE):
        struct.pack_into("<I", content, meta + 40, 2**31)


def _other_version(content):
    for meta in (0, PAGE):
        struct.pack_into("<I", content, meta + 20, 2)


def _no_magic(content):
    content[16:20] = b"\xbe\xef\xc0\xde"


def _root_beyond(content):
    struct.pack_into("<Q", content, _newest(content) + 128, 2**60)


def _fewer_entries(content):
    struct.pack_into("<Q", content, _newest(content) + 120, 3)


def _more_entries(content):
    struct.pack_into("<Q", content, _newest(content) + 120, 2999)


def _too_many_entries(content):
    struct.pack_into("<Q", content, _newest(content) + 120, 2**40)


def _root_is_meta(content):
    struct.pack_into("<Q", content, _newest(content) + 128, 1)


def _sorted_otherwise(content):
    struct.pack_into("<H", content, _newest(content) + 92, 4)


def _nothing(content):
    content.clear()


def _one_page(content):
    del content[PAGE:]


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (_branch_to_itself, "belongs to two others"),
        (_huge_page, "pages of 2,147,483,648 bytes"),
        (_other_version, "data version 2; version 1 is read"),
        (_no_magic, "is no LMDB file"),
        (_root_beyond, "before page"),
        (_fewer_entries, "3 values are announced"),
        (_more_entries, "2999 values are announced"),
        (_too_many_entries, "at most 200,000 are read"),
        (_root_is_meta, "neither branch nor leaf"),
        (_sorted_otherwise, "several values under a key"),
        (_nothing, "it ends after 0 bytes"),
        (_one_page, "it ends after 4,096 bytes"),
    ],
)
def test_what_is_forged_is_refused(tmp_path, break_it, said):
    """In one sentence that names the file and not where it lies."""
    path = _written(tmp_path / "db", _values(3000))
    content = bytearray(path.read_bytes())
    break_it(content)
    path.write_bytes(content)

    with pytest.raises(DatasetError, match=said) as refused:
        lmdb_pages.places(path)
    assert str(refused.value).startswith("data.mdb")
    assert str(tmp_path) not in str(refused.value)


def test_a_value_larger_than_its_file_is_not_made_room_for(tmp_path):
    """A large value claims four gigabytes, of which the file has none."""
    path = _written(tmp_path / "db", {b"0": bytes(20_000)})
    content = bytearray(path.read_bytes())
    root = _root(content) * PAGE
    (node,) = struct.unpack_from("<H", content, root + 16)
    struct.pack_into("<HH", content, root + node, 0xFFFF, 0xFFFF)
    path.write_bytes(content)

    with pytest.raises(DatasetError, match="does not hold the value"):
        lmdb_pages.places(path)


def test_a_value_that_is_cut_off_is_told_of_at_once(tmp_path):
    """A copy that was broken off lacks its last pages."""
    path = _written(tmp_path / "db", {b"0": bytes(20_000)})
    (place,) = lmdb_pages.places(path).values()
    with path.open("r+b") as file:
        file.truncate(place.start + place.size - 1)

    with pytest.raises(DatasetError, match="is cut short within page"):
        lmdb_pages.places(path)


def test_a_value_beyond_the_limit_is_not_read(tmp_path):
    """The limit is the caller's, who knows what is wanted."""
    path = _written(tmp_path / "db", {b"0": bytes(20_000)})
    (place,) = lmdb_pages.places(path).values()

    assert lmdb_pages.content(path, place, 20_000) == bytes(20_000)
    with pytest.raises(DatasetError, match="are read at a time"):
        lmdb_pages.content(path, place, 19_999)


def test_a_tree_inside_the_tree_is_refused(tmp_path):
    """A database with a name of its own is a value of an unknown kind."""
    folder = tmp_path / "db"
    folder.mkdir()
    with lmdb.open(str(folder), map_size=2**20, lock=False, max_dbs=1) as environment:
        environment.open_db(b"inner")

    with pytest.raises(DatasetError, match="a value of an unknown kind"):
        lmdb_pages.places(folder / "data.mdb")


def test_a_file_that_becomes_shorter_is_told_of(tmp_path):
    """It may be cut while it is open; a mapped file would end the process then."""
    path = _written(tmp_path / "db", {b"0": bytes(20_000)})
    (place,) = lmdb_pages.places(path).values()
    with path.open("r+b") as file:
        file.truncate(place.start + 10)

    with pytest.raises(DatasetError, match="became shorter"):
        lmdb_pages.content(path, place, MOST)


def test_whatever_is_damaged_the_answer_is_a_value_or_a_sentence(tmp_path):
    """Bytes are changed at random, mostly in the heads of pages, and files are cut anywhere."""
    rng = random.Random(1)
    path = _written(tmp_path / "db", _values(12, seed=2))
    whole = path.read_bytes()
    refused = []
    for _ in range(400):
        content = bytearray(whole)
        for _ in range(rng.choice([1, 2, 40])):
            in_head = rng.randrange(len(whole) // PAGE) * PAGE + rng.randrange(200)
            content[rng.choice([in_head, rng.randrange(len(whole))])] = rng.randrange(256)
        if rng.random() < 0.1:
            del content[rng.randrange(len(whole)) :]
        path.write_bytes(content)
        try:
            _read(path)
        except DatasetError as error:
            refused.append(str(error))

    assert 100 < len(refused) < 400
    assert not any("\n" in one for one in refused)

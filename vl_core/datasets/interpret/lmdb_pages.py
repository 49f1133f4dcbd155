"""Where the values of an LMDB file lie, found without LMDB's own library.

That library maps the file into memory and follows whatever stands in it: a forged or damaged page,
or a file that is cut short meanwhile, can end the process that reads it, and with it the visits of
everybody. (Of 150 files with ten bytes changed at random, two ended LMDB 0.9.36.) Reading in a
process of its own would save the server, at the price of starting one and of copying tens of
megabytes for each record. But a tree of pages is quickly read: here each number of a page is
checked before it is followed, and nothing is mapped, so the worst that a file can do is to be
refused. What the file says of the room it wants (its map size) is not even looked at.

The format is that of LMDB 0.9 on 64-bit little-endian machines (data version 1, unchanged since
2012): two meta pages of which the newer counts; branch pages, leaf pages with keys and small values
and overflow pages with large ones. It was learned from LMDB's mdb.c and is tested against it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from vl_core.errors import DatasetError

MOST_ENTRIES = 200_000
MAGIC_PLACE = slice(16, 20)
MAGIC = (0xBEEFC0DE).to_bytes(4, "little")

_VERSION = 1
_NONE = 2**64 - 1  # the root of an empty tree
_PAGE_SIZES = tuple(2**power for power in range(9, 16))
_BRANCH, _LEAF, _OVERFLOW, _META_PAGE = 1, 2, 4, 8
_KINDS = 0xFF  # the bits of a page's flags that say what it is
_BIG = 1  # the flag of a node whose value lies on overflow pages

_PAGE = struct.Struct("<QHHHH")  # number, unused, flags, end of node offsets, start of nodes
_LARGE = struct.Struct("<QHHI")  # number, unused, flags, number of pages
_NODE = struct.Struct("<HHHH")  # size or child (low, high), flags or child (highest), key's size
_NUMBER = struct.Struct("<Q")
_HEAD = struct.Struct("<IIQQ")  # magic, version, address, map size
_TREE = struct.Struct("<IHHQQQQQ")  # page size, flags, depth, pages of three kinds, entries, root
_TAIL = struct.Struct("<QQ")  # last page, transaction
_META_BYTES = _PAGE.size + _HEAD.size + 2 * _TREE.size + _TAIL.size


class Place(NamedTuple):
    """Where a value lies: its first byte in the file, and how many bytes it has."""

    start: int
    size: int


def places(path: Path) -> dict[bytes, Place]:
    """The place of each value by its key; raises DatasetError for what is no whole LMDB file."""
    try:
        with path.open("rb", buffering=0) as file:
            size = file.seek(0, 2)
            meta = _newest_meta(file, size, path.name)
            return _Tree(file, size, meta, path.name).places()
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read: {error.strerror}.") from error


def content(path: Path, place: Place, most: int) -> bytes:
    """The value at that place; raises DatasetError if it has more bytes than that.

    Also if the file has become shorter since.
    """
    if place.size > most:
        raise DatasetError(
            f"{path.name} has a value of {place.size / 2**20:,.0f} MiB; at most "
            f"{most / 2**20:,.0f} MiB are read at a time."
        )
    try:
        with path.open("rb", buffering=0) as file:
            return _read(file, place.start, place.size, path.name)
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read: {error.strerror}.") from error


@dataclass(frozen=True)
class _Meta:
    """What a meta page says: of the pages, and of the main tree."""

    page_size: int
    flags: int
    entries: int
    root: int
    transaction: int


def _newest_meta(file: BinaryIO, size: int, name: str) -> _Meta:
    first = _meta(file, 0, size, name)
    second = _meta(file, first.page_size, size, name)
    if first.page_size != second.page_size:
        raise _damaged(name, "its first two pages differ in the size of pages")
    newest = max(first, second, key=lambda meta: meta.transaction)
    if newest.flags:
        raise DatasetError(
            f"{name} keeps several values under a key or sorts its keys in another way, which no "
            "VL-InterpreT database does."
        )
    if newest.entries > MOST_ENTRIES:
        raise DatasetError(
            f"{name} holds {newest.entries:,} values; at most {MOST_ENTRIES:,} are read."
        )
    return newest


def _meta(file: BinaryIO, start: int, size: int, name: str) -> _Meta:
    if start + _META_BYTES > size:
        raise _damaged(name, f"it ends after {size:,} bytes, before its first pages do")
    page = _read(file, start, _META_BYTES, name)
    _, _, kind, _, _ = _PAGE.unpack_from(page)
    magic, version, _, _ = _HEAD.unpack_from(page, _PAGE.size)
    if magic.to_bytes(4, "little") != MAGIC or not kind & _META_PAGE:
        raise DatasetError(
            f"{name} is no LMDB file as 64-bit machines write it. Choose the folder of a "
            "VL-InterpreT database, with data.mdb in it."
        )
    if version != _VERSION:
        raise DatasetError(
            f"{name} has LMDB's data version {version}; version {_VERSION} is read, which LMDB 0.9 "
            "writes."
        )
    trees = _PAGE.size + _HEAD.size
    page_size, *_ = _TREE.unpack_from(page, trees)
    _, flags, _, _, _, _, entries, root = _TREE.unpack_from(page, trees + _TREE.size)
    _, transaction = _TAIL.unpack_from(page, trees + 2 * _TREE.size)
    if page_size not in _PAGE_SIZES:
        raise _damaged(name, f"it claims to have pages of {page_size:,} bytes")
    return _Meta(page_size, flags, entries, root, transaction)


@dataclass(frozen=True)
class _Tree:
    """The main tree of an open file. size: of the file. name: for messages."""

    file: BinaryIO
    size: int
    meta: _Meta
    name: str

    def places(self) -> dict[bytes, Place]:
        # Bounded by what is announced, so that a forged tree is not walked for hours.
        nodes = islice(self._leaf_nodes(), self.meta.entries + 1)
        entries = [self._entry(page, node) for page, node in nodes]
        found = dict(entries)
        if not len(found) == len(entries) == self.meta.entries:
            raise _damaged(self.name, f"{self.meta.entries} values are announced, others are there")
        return found

    def _leaf_nodes(self) -> Iterator[tuple["_Page", int]]:
        """Each leaf page with the offset of each of its nodes. No page is entered twice."""
        entered: set[int] = set()
        waiting = [] if self.meta.root == _NONE else [self.meta.root]
        while waiting:
            number = waiting.pop()
            if number in entered:
                raise _damaged(self.name, f"page {number} belongs to two others")
            entered.add(number)
            if len(entered) > 2 * self.meta.entries:  # a branch has two children, a leaf an entry
                raise _damaged(self.name, "it has more pages than its values can fill")
            page = self._page(number)
            nodes = page.nodes()
            if page.kind == _LEAF:
                yield from ((page, node) for node in nodes)
            elif page.kind == _BRANCH:
                waiting.extend(page.child(node) for node in nodes)
            else:
                raise _damaged(self.name, f"page {number} is neither branch nor leaf")

    def _page(self, number: int) -> "_Page":
        content = self._bytes_of(number, self.meta.page_size)
        own, _, flags, end, _ = _PAGE.unpack_from(content)
        if own != number:
            raise _damaged(self.name, f"page {number} says that it is page {own}")
        return _Page(content, flags & _KINDS, end, f"page {number}", self.name)

    def _entry(self, page: "_Page", node: int) -> tuple[bytes, Place]:
        low, high, flags, key_size = _NODE.unpack_from(page.content, node)
        size = low | high << 16
        key = page.bytes_at(node + _NODE.size, key_size)
        value = node + _NODE.size + key_size
        if flags == _BIG:
            (number,) = _NUMBER.unpack(page.bytes_at(value, _NUMBER.size))
            return key, self._large(number, size)
        if flags:
            raise _damaged(self.name, f"{page.name} has a value of an unknown kind")
        page.bytes_at(value, size)
        own, *_ = _PAGE.unpack_from(page.content)
        return key, Place(own * self.meta.page_size + value, size)

    def _large(self, number: int, size: int) -> Place:
        """The place of a value on overflow pages, which follow on each other."""
        own, _, flags, count = _LARGE.unpack(self._bytes_of(number, _LARGE.size))
        place = Place(number * self.meta.page_size + _LARGE.size, size)
        is_whole = _LARGE.size + size <= count * self.meta.page_size
        if own != number or flags & _KINDS != _OVERFLOW or not is_whole:
            raise _damaged(self.name, f"page {number} does not hold the value that it should")
        if place.start + size > self.size:
            raise _damaged(self.name, f"it is cut short within page {number}")
        return place

    def _bytes_of(self, number: int, count: int) -> bytes:
        first = number * self.meta.page_size
        if first + count > self.size:
            raise _damaged(self.name, f"it ends after {self.size:,} bytes, before page {number}")
        return _read(self.file, first, count, self.name)


@dataclass(frozen=True)
class _Page:
    """A branch or leaf page. end: of the offsets of its nodes. file_name: for messages."""

    content: bytes
    kind: int
    end: int
    name: str
    file_name: str

    def nodes(self) -> list[int]:
        """The offset of each node, each of which has at least its own head on the page."""
        offsets = self.bytes_at(_PAGE.size, max(0, self.end - _PAGE.size) // 2 * 2)
        found = [one for (one,) in struct.iter_unpack("<H", offsets)]
        for one in found:
            if one < self.end:
                raise _damaged(self.file_name, f"{self.name} has overlapping entries")
            self.bytes_at(one, _NODE.size)
        return found

    def child(self, node: int) -> int:
        """The number of the page that a branch leads to."""
        low, high, highest, _ = _NODE.unpack_from(self.content, node)
        return int(low | high << 16 | highest << 32)

    def bytes_at(self, start: int, count: int) -> bytes:
        if start + count > len(self.content):
            raise _damaged(self.file_name, f"{self.name} has an entry that leads out of it")
        return self.content[start : start + count]


def _read(file: BinaryIO, start: int, count: int, name: str) -> bytes:
    file.seek(start)
    found = file.read(count)
    while 0 < len(found) < count:  # a system may give less at a time than was asked for
        more = file.read(count - len(found))
        if not more:
            break
        found += more
    if len(found) < count:
        raise _damaged(name, "it became shorter while it was read")
    return found


def _damaged(name: str, why: str) -> DatasetError:
    return DatasetError(f"{name} is damaged: {why}. Copy the database again.")

"""The members of one large JSON object, found block by block without decoding what is in them.

WebQA keeps tens of thousands of questions in a single object of some hundred megabytes, which
takes gigabytes as Python objects. Here only quotes, backslashes and brackets are looked at.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO

import numpy as np
from jaxtyping import Bool, Int64

from vl_core.errors import DatasetError

BLOCK = 2**22
MOST_BYTES = 16 * 2**20  # of one member; a question with thirty sources takes some ten thousand

_QUOTE, _BACKSLASH, _BRACE, _BRACKET = b'"\\{['
_IS_MARK = np.isin(np.arange(256), np.frombuffer(b'"\\{[}]', np.uint8))
_STRING = rb'\s*("(?:[^"\\]|\\.)*")\s*:\s*'
_MARK = rb"(?:\xef\xbb\xbf)?"  # some editors write a byte order mark first
_FIRST = re.compile(_MARK + rb"\s*\{" + _STRING, re.DOTALL)
_LATER = re.compile(rb"\s*," + _STRING, re.DOTALL)
_END, _EMPTY = re.compile(rb"\s*\}\s*"), re.compile(_MARK + rb"\s*\{\s*\}\s*")

Places = Int64[np.ndarray, "place"]


@dataclass(frozen=True)
class Member:
    """One member: its key, and the bytes of the file that hold its value, the end one past.

    outline: that value as JSON with every list and object inside it emptied.
    """

    key: str
    start: int
    end: int
    outline: bytes


@dataclass
class _Brackets:
    """Opening and closing brackets down to the third level, outside of strings.

    places: in the file. is_open; after: how many are open once this one is read.
    """

    places: Places = field(default_factory=lambda: np.empty(0, np.int64))
    is_open: Bool[np.ndarray, "place"] = field(default_factory=lambda: np.empty(0, np.bool_))
    after: Places = field(default_factory=lambda: np.empty(0, np.int64))

    def __add__(self, other: "_Brackets") -> "_Brackets":
        return _Brackets(
            np.concatenate([self.places, other.places]),
            np.concatenate([self.is_open, other.is_open]),
            np.concatenate([self.after, other.after]),
        )

    def __getitem__(self, chosen: slice) -> "_Brackets":
        return _Brackets(self.places[chosen], self.is_open[chosen], self.after[chosen])


@dataclass
class _Scanner:
    """Reads block after block; what the next one needs to know of those before."""

    n_read: int = 0
    n_open: int = 0
    in_string: bool = False
    is_escaped: bool = False  # whether the next byte follows a backslash that is not itself escaped

    def brackets(self, block: bytes) -> _Brackets:
        """Those of the next block."""
        content = np.frombuffer(block, np.uint8)
        places = np.flatnonzero(_IS_MARK[content])
        marks = content[places]
        is_quote = (marks == _QUOTE) & ~self._escaped(places, marks == _BACKSLASH, len(block))
        is_inside = (np.cumsum(is_quote) + self.in_string) % 2 == 1
        self.in_string = bool((np.count_nonzero(is_quote) + self.in_string) % 2)
        is_bracket = ~is_inside & (marks != _QUOTE) & (marks != _BACKSLASH)
        is_open = (marks == _BRACE) | (marks == _BRACKET)
        found = self._levels(places[is_bracket], is_open[is_bracket])
        self.n_read += len(block)
        return found

    def _escaped(
        self, places: Places, is_backslash: Bool[np.ndarray, "place"], length: int
    ) -> Bool[np.ndarray, "place"]:
        """Which marks follow an odd number of backslashes."""
        backslashes = places[is_backslash]
        order = np.arange(len(backslashes))
        begins = np.diff(backslashes, prepend=-2) != 1
        in_run = order - np.maximum.accumulate(np.where(begins, order, 0))
        if self.is_escaped:  # the run at the start goes on from the block before
            n_first = int(np.count_nonzero(backslashes == order))
            in_run[:n_first] += 1
        is_escaped = np.zeros(length + 1, np.bool_)
        is_escaped[backslashes[in_run % 2 == 0] + 1] = True
        is_escaped[0] = self.is_escaped
        self.is_escaped = bool(is_escaped[length])
        return is_escaped[places]

    def _levels(self, places: Places, is_open: Bool[np.ndarray, "place"]) -> _Brackets:
        after = np.cumsum(np.where(is_open, 1, -1)) + self.n_open
        if len(after):
            self.n_open = int(after[-1])
        is_near = after + ~is_open <= 3  # a closing bracket was one level deeper before
        return _Brackets(places[is_near] + self.n_read, is_open[is_near], after[is_near])


def members(file: BinaryIO, name: str) -> Iterator[Member]:
    """The members of the object that a JSON file consists of, in order; values must have brackets.

    name: of the file, for messages. Raises DatasetError where the file is cut short or is no such
    object, after the members before that place. Whether a value is JSON shows when it is decoded.
    """
    scanner, brackets, pattern = _Scanner(), _Brackets(), _FIRST
    text, begins = b"", 0  # what belongs to no finished member, and where in the file it begins
    while block := file.read(BLOCK):
        text += block
        brackets = brackets + scanner.brackets(block)
        used = begins
        for own in _finished(brackets):
            found = pattern.match(text, used - begins)
            if found is None or found.end() + begins != own[0]:
                raise _unlike(name, used)
            key, pattern, used = _key(found[1], name, used), _LATER, own[-1] + 1
            yield Member(key, own[0], used, _outline(text, [place - begins for place in own]))
        text, begins = text[used - begins :], used
        brackets = brackets[int(np.searchsorted(brackets.places, used)) :]
        if len(text) > MOST_BYTES:
            raise DatasetError(
                f"From byte {begins} on {name} has no end of a question within "
                f"{MOST_BYTES // 2**20} MiB; it is not one of WebQA's files."
            )
    if not (_EMPTY if pattern is _FIRST else _END).fullmatch(text):
        raise _unlike(name, begins)


def _finished(brackets: _Brackets) -> Iterator[list[int]]:
    """For each member that has ended: where its brackets and those right inside it stand."""
    starts = np.flatnonzero(brackets.is_open & (brackets.after == 2))
    ends = np.flatnonzero(~brackets.is_open & (brackets.after == 1))
    places = brackets.places.tolist()
    for start, end in zip(starts.tolist(), ends.tolist(), strict=False):
        yield places[start : end + 1]


def _outline(text: bytes, places: list[int]) -> bytes:
    first, *inner, last = places
    cuts = [first, *chain.from_iterable(_between(inner)), last + 1]
    return b"".join(text[start:end] for start, end in zip(cuts[::2], cuts[1::2], strict=True))


def _between(inner: list[int]) -> Iterator[tuple[int, int]]:
    """The bytes between each opening bracket and its closing one."""
    for opened, closed in zip(inner[::2], inner[1::2], strict=True):
        yield opened + 1, closed


def _key(found: bytes, name: str, place: int) -> str:
    try:
        return json.loads(found)
    except ValueError as error:
        raise _unlike(name, place) from error


def _unlike(name: str, place: int) -> DatasetError:
    return DatasetError(
        f"{name} is damaged or cut short after byte {place}. Wanted is one JSON object with the "
        "questions by their Guid, as WebQA is published; download it again."
    )

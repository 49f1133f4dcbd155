"""Arrays and numbers of numpy as a pickle describes them, built without asking numpy to.

A pickle of an array names one of numpy's functions and what to call it with. The names are
understood here and nothing is called: what comes with them is checked, and an array is a view of
the bytes that are there, so that no claim about its size takes any room.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Shaped

MOST_AXES = 8
MOST_STRINGS = 100_000  # in an array: more tokens than any attention is kept of

# Yes or no, whole numbers, numbers of 2, 4 or 8 bytes, and strings of a fixed length.
_CODES = re.compile(r"b1|[iu][1248]|f[248]|U\d{1,4}")
_STRING = "U"
_CHARACTER_BYTES = 4
_NOTHING = memoryview(b"")


class NotPlainError(Exception):
    """Something that is no plain data; it says what, as the end of "the pickle holds"."""


def shown(value: object) -> str:
    """A value for messages. Only what it is of one that holds others, which may be nested deep."""
    is_single = value is None or isinstance(value, str | int | float)
    return f"{value!r:.40}" if is_single else f"a {type(value).__name__}"


@dataclass(eq=False)
class Type:
    """The type of an array's elements; numpy's pickles tell the order of its bytes afterwards."""

    code: str
    byte_order: str = "<"

    def complete(self, state: object) -> None:
        """Take the order of bytes from what a pickle adds."""
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", ">", "|", "="):
            raise NotPlainError("a type of numbers that is described in an unknown way")
        if state[2:5] != (None, None, None):
            raise NotPlainError("numbers of several kinds in one array")
        self.byte_order = str(state[1])

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        size = int(self.code[1:])
        return size * _CHARACTER_BYTES if self.code.startswith(_STRING) else size

    @property
    def is_string(self) -> bool:
        """Whether the elements are strings of a fixed length."""
        return self.code.startswith(_STRING)

    @property
    def dtype(self) -> np.dtype:
        """As numpy calls it."""
        return np.dtype(f"{self.byte_order}{self.code}")

    def string(self, content: memoryview) -> str:
        """One string; raises UnicodeDecodeError for what is none."""
        codec = "utf-32-be" if self.byte_order == ">" else "utf-32-le"
        return content.tobytes().decode(codec).rstrip("\0")


@dataclass(eq=False)
class Array:
    """An array as it was described. It may be complete only after what a pickle adds to it.

    axes: in which order its axes are to be put, None if they are as they should be.
    """

    kind: Type | None = None
    shape: tuple[int, ...] = ()
    content: memoryview = _NOTHING
    order: Literal["C", "F"] = "C"
    axes: tuple[int, ...] | None = None

    def complete(self, state: object) -> None:
        """Take all of the array from what a pickle adds."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise NotPlainError("an array that is described in an unknown way")
        _, shape, kind, is_fortran, content = state
        self._take(content, kind, shape, "F" if is_fortran is True else "C", None)

    @classmethod
    def over(cls, arguments: tuple[Any, ...]) -> "Array":
        """An array over these bytes: content, type, shape, order of elements, order of axes."""
        if len(arguments) not in (4, 5):
            raise NotPlainError("an array that is described in an unknown way")
        array = cls()
        array._take(*arguments, *(None,) * (5 - len(arguments)))
        return array

    def _take(
        self, content: object, kind: object, shape: object, order: object, axes: object
    ) -> None:
        if not isinstance(content, memoryview) or not isinstance(kind, Type):
            raise NotPlainError("an array of other things than numbers")
        sizes = _whole_numbers(shape)
        if len(sizes) > MOST_AXES or order not in ("C", "F", "K"):
            raise NotPlainError("an array that is described in an unknown way")
        if order == "K":
            self.axes = _whole_numbers(axes)
            if sorted(self.axes) != list(range(len(sizes))):
                raise NotPlainError("an array whose axes are in no order")
        if math.prod(sizes) * kind.itemsize != len(content):
            raise NotPlainError(
                f"an array of {' x '.join(map(str, sizes))} elements over {len(content):,} bytes"
            )
        self.kind, self.shape, self.content = kind, sizes, content
        self.order = "F" if order == "F" else "C"

    def values(self) -> Shaped[np.ndarray, "..."]:
        """The array, which cannot be written to; raises NotPlainError if it holds strings."""
        if self.kind is None or self.kind.is_string:
            raise NotPlainError("an array of numbers is wanted")
        if not len(self.content):
            return np.zeros(0, self.kind.dtype)
        found = np.ndarray(self.shape, self.kind.dtype, self.content, order=self.order)
        return found if self.axes is None else found.transpose(self.axes)

    def strings(self) -> list[str]:
        """The strings of an array with one axis; raises NotPlainError if it is none."""
        if self.kind is None or not self.kind.is_string or len(self.shape) != 1:
            raise NotPlainError("an array of strings with one axis is wanted")
        if self.shape[0] > MOST_STRINGS:
            raise NotPlainError(f"{self.shape[0]:,} strings")
        size = self.kind.itemsize
        starts = range(0, len(self.content), size) if size else ()
        return [self.kind.string(self.content[start : start + size]) for start in starts]


def _whole_numbers(value: object) -> tuple[int, ...]:
    sizes = value if isinstance(value, tuple) else ()
    is_plain = all(type(one) is int and 0 <= one < 2**31 for one in sizes)
    if not isinstance(value, tuple) or not is_plain:
        raise NotPlainError("an array without sizes")
    return sizes


class Name(NamedTuple):
    """Something of numpy's that a pickle may name, and what comes of it."""

    called: Callable[[tuple[Any, ...]], object]


def _type(arguments: tuple[Any, ...]) -> Type:
    code = arguments[0] if arguments else None
    if not isinstance(code, str) or not _CODES.fullmatch(code):
        raise NotPlainError(f"elements of the type {shown(code)}, not numbers or strings")
    return Type(code)


def _empty_array(arguments: tuple[Any, ...]) -> Array:
    if not arguments or arguments[0] is not ARRAY_CLASS:
        raise NotPlainError("an array of a kind of its own")
    return Array()


def _element(arguments: tuple[Any, ...]) -> object:
    kind, content = arguments if len(arguments) == 2 else (None, None)
    if not isinstance(kind, Type) or not isinstance(content, memoryview):
        raise NotPlainError("a number that is described in an unknown way")
    if len(content) != kind.itemsize:
        raise NotPlainError(f"a number of {kind.itemsize} bytes in {len(content)}")
    if kind.is_string:
        return kind.string(content)
    return np.frombuffer(content, kind.dtype)[0].item()


def _never_called(_: tuple[Any, ...]) -> object:
    raise NotPlainError("an array that is made in an unknown way")


ARRAY_CLASS = Name(_never_called)

# numpy 2 renamed the module, and both names are about.
NAMES: Mapping[tuple[str, str], Name] = {
    ("numpy", "ndarray"): ARRAY_CLASS,
    ("numpy", "dtype"): Name(_type),
    **{
        (f"numpy.{core}.{module}", name): Name(called)
        for core in ("core", "_core")
        for module, name, called in (
            ("multiarray", "_reconstruct", _empty_array),
            ("multiarray", "scalar", _element),
            ("numeric", "_frombuffer", Array.over),
        )
    },
}

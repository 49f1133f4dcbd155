"""Writing pickles that the original's Python and numpy read, whichever they are.

numpy 2 renamed the module that its pickles name, and a numpy before 1.26 does not know the new
name: then nothing that Python's own pickle module writes here can be opened there. So plain data
is written here with the old name, which every numpy knows, in protocol 4 (Python 3.4).
"""

import pickle
import struct
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np

Plain = Any  # None, bool, int, str, bytes, list, tuple, dict, np.ndarray, and these in these

_PROTOCOL = 4
_STATE_VERSION = 1  # of an array
_TYPE_VERSION = 3  # of its type


def dumped(value: Plain) -> bytes:
    """The pickle. Arrays are of numbers; raises TypeError for anything that is not plain."""
    parts = chain([pickle.PROTO + bytes([_PROTOCOL])], _parts(value), [pickle.STOP])
    return b"".join(parts)


def _parts(value: Plain) -> Iterator[bytes | memoryview]:
    if isinstance(value, np.ndarray):
        yield from _array(value)
    elif isinstance(value, Mapping):
        yield from (pickle.EMPTY_DICT, pickle.MARK)
        for key, one in value.items():
            yield from chain(_parts(key), _parts(one))
        yield pickle.SETITEMS
    elif isinstance(value, list):
        yield from (pickle.EMPTY_LIST, pickle.MARK, *_all(value), pickle.APPENDS)
    elif isinstance(value, tuple):
        yield from (pickle.MARK, *_all(value), pickle.TUPLE)
    else:
        yield _single(value)


def _all(values: Iterable[Plain]) -> Iterator[bytes | memoryview]:
    return chain.from_iterable(map(_parts, values))


def _single(value: Plain) -> bytes:
    if value is None:
        return pickle.NONE
    if isinstance(value, bool):
        return pickle.NEWTRUE if value else pickle.NEWFALSE
    if isinstance(value, int):
        return pickle.BININT + struct.pack("<i", value)
    if isinstance(value, str):
        content = value.encode()
        return pickle.BINUNICODE + struct.pack("<I", len(content)) + content
    if isinstance(value, bytes):
        return pickle.BINBYTES + struct.pack("<I", len(value)) + value
    raise TypeError(f"{type(value).__name__} is no plain data")


def _array(array: np.ndarray) -> Iterator[bytes | memoryview]:
    """What numpy's own pickles do: an empty array, and then what is in it."""
    yield from _named("numpy.core.multiarray", "_reconstruct")
    yield from _named("numpy", "ndarray")
    yield from (*_parts((0,)), *_parts(b"b"), pickle.TUPLE3, pickle.REDUCE)
    yield from (pickle.MARK, *_parts(_STATE_VERSION), *_parts(array.shape))
    yield from _type(array.dtype)
    yield from (pickle.NEWFALSE, pickle.BINBYTES8, struct.pack("<Q", array.nbytes))
    yield np.ascontiguousarray(array).data.cast("B") if array.size else b""
    yield from (pickle.TUPLE, pickle.BUILD)


def _type(dtype: np.dtype) -> Iterator[bytes | memoryview]:
    if dtype.kind not in "biuf":
        raise TypeError(f"an array of {dtype} is no plain data")
    order = "|" if dtype.itemsize == 1 else "<"
    yield from _named("numpy", "dtype")
    yield from (*_parts((f"{dtype.kind}{dtype.itemsize}", False, True)), pickle.REDUCE)
    yield from (*_parts((_TYPE_VERSION, order, None, None, None, -1, -1, 0)), pickle.BUILD)


def _named(module: str, name: str) -> Iterator[bytes]:
    yield pickle.GLOBAL + f"{module}\n{name}\n".encode()

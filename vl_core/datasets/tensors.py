"""Tensors of a model of your own: a folder of .npz files, each one example. No model is needed.

    attention      layer x head x n x n, of floats: weights after the softmax, query before key
    tokens         n strings: what each token is called
    is_image       n booleans: which tokens are patches of the picture; or
    n_text         a number: how many tokens come before the patches, which are all others
    hidden_states  optional: (layer + 1) x n x width, of floats: the embeddings, then each layer
    image          optional: height x width x 3, of uint8: the picture that boxes are counted in
    boxes          optional: n x 4, in pixels: left, top, right, bottom of each patch; nan for a
                   token without a place; or
    grid           optional: rows, columns, where the patches tile the picture row by row
    is_special     optional: n booleans, where the names ([CLS], </s>, <pad>, ...) do not tell
    text           optional: what was asked; else the tokens that are words are put together
    answer         optional: the right answer
    prediction     optional: what the model said; probability: optional, of that, 0 to 1

A row of attention sums to one within what bfloat16 rounds off. Strings are numpy's own (dtype "U"),
never Python objects: those are not read. One line of numpy writes such a file:

    >>> import numpy as np
    >>> weights = np.random.default_rng(0).dirichlet(np.ones(9), size=(4, 2, 9))
    >>> np.savez_compressed(
    ...     "1.npz",
    ...     attention=weights,  # 4 layers x 2 heads x 9 queries x 9 keys
    ...     tokens=["[CLS]", "a", "dog", *["patch"] * 6],
    ...     n_text=3,
    ...     image=np.zeros((32, 48, 3), np.uint8),
    ...     grid=(2, 3),
    ... )
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vl_core.answers import is_same
from vl_core.datasets import npz
from vl_core.datasets.captured import captured_trace, provenance_of_tensors
from vl_core.datasets.items import PLAIN, Asked, Item, Option, placed
from vl_core.datasets.tensor_record import Record
from vl_core.errors import DatasetError, VLError
from vl_core.example import Example
from vl_core.trace import Trace, TracedExample

KIND = "own tensors"

_ENDING = ".npz"
_TEXTS = ("tokens", "is_image", "n_text", "is_special", "text", "answer", "prediction")
_PICTURE = ("image", "boxes", "grid")
_WEIGHTS = ("attention", "hidden_states", "probability")

_T = TypeVar("_T")


def is_at(path: Path) -> bool:
    """Whether it is an .npz file or a folder with one."""
    return (path.is_file() and path.suffix == _ENDING) or bool(_files(path))


def opened(path: Path) -> "Tensors":
    """The file, or those of the folder; what is in them is read when it is asked for."""
    return Tensors(path.name, (path,) if path.is_file() else _files(path))


@dataclass(frozen=True)
class Tensors:
    """Each file one example. Several threads may read at once."""

    name: str
    files: tuple[Path, ...]
    kind: str = KIND

    @property
    def metadata(self) -> Mapping[str, Any]:
        """How many files there are."""
        return {"files": len(self.files)}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return self.files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> Item:
        return self._read(number, _item)

    def __iter__(self) -> Iterator[Item]:
        return map(self.__getitem__, range(len(self)))

    def trace(self, number: int) -> Trace:
        """What was kept in that file, with the statistics of all heads; raises DatasetError."""
        return self._read(number, _trace)

    def _read(self, number: int, read: Callable[[Path], _T]) -> _T:
        return _named(self.files[placed(number, len(self))], read)


def _files(path: Path) -> tuple[Path, ...]:
    """In the order of the numbers in their names: 2.npz before 10.npz."""
    return tuple(sorted(path.glob(f"*{_ENDING}"), key=_by_number))


def _by_number(file: Path) -> list[tuple[bool, int, str]]:
    parts = re.findall(r"\d+|\D+", file.name)
    return [(False, int(one), "") if one.isdecimal() else (True, 0, one) for one in parts]


def _named(path: Path, read: Callable[[Path], _T]) -> _T:
    """What is read of a file; what goes wrong is told with the file's name."""
    try:
        return read(path)
    except VLError as error:
        raise DatasetError(f"{path.name}: {error}") from error


def _item(path: Path) -> Item:
    record = Record(npz.arrays(path, _TEXTS))
    answer, said = record.answer, record.said
    was_right = None if answer is None or said is None else is_same(said, answer)
    option = Option("0", record.text, partial(_named, path, _example))
    asked = Asked(PLAIN, record.text, (option,))
    return Item(path.stem, record.text, (asked,), answer=answer, said=said, was_right=was_right)


def _example(path: Path) -> Example:
    return Record(npz.arrays(path, (*_TEXTS, "image"))).example


def _trace(path: Path) -> Trace:
    record = Record(npz.arrays(path, (*_TEXTS, *_PICTURE, *_WEIGHTS)))
    return captured_trace(
        TracedExample.of(record.example, record.example.image),
        record.tokens,
        record.attention,
        record.hidden_states,
        record.prediction,
        provenance_of_tensors(KIND, record.attention.dtype),
    )

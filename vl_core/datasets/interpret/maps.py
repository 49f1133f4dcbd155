"""What the original's page needs beside the records: maps of the hidden states, and their points.

For each state and modality the page searches the points of all examples for the nearest one, with
the library faiss; its files hold nothing but the points. Distances between points of different
examples mean nothing, as each example has maps of its own (that is how the original made them).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from vl_core.arrays import Points

FOLDER = "faiss"

# faiss, index_write.cpp: an index that compares with all points, by squared distance.
_KIND = b"IxF2"
_HEAD = struct.Struct("<iqqqBi")  # dimensions, points, twice an unused number, is trained, metric
_UNUSED = 2**20
_IS_TRAINED = 1
_SQUARED_DISTANCE = 1
_COUNT = struct.Struct("<Q")

TokenId = tuple[int, int]  # of an example, and of a token in it
ExamplePoints = Float32[np.ndarray, "token 2"]


@dataclass
class Maps:
    """The points of all examples, gathered one after the other."""

    tokens: dict[tuple[int, str], list[TokenId]] = field(default_factory=dict)
    points: dict[tuple[int, str], list[ExamplePoints]] = field(default_factory=dict)

    def add(self, example: int, points: Points, n_text: int) -> None:
        """The maps of one example, state x token x 2, of which so many tokens are text."""
        parts = {"txt": slice(0, n_text), "img": slice(n_text, None)}
        numbers = range(points.shape[1])
        for state, of_state in enumerate(points):
            for modality, part in parts.items():
                key = state, modality
                ids = [(example, token) for token in numbers[part]]
                self.tokens.setdefault(key, []).extend(ids)
                self.points.setdefault(key, []).append(of_state[part])

    def write(self, database: Path) -> None:
        """One file for each state and modality, in a folder beside the records."""
        folder = database / FOLDER
        folder.mkdir()
        for (state, modality), points in self.points.items():
            (folder / f"{modality}_indices_{state}").write_bytes(_index(points))


def _index(parts: Sequence[ExamplePoints]) -> bytes:
    points = np.concatenate(parts).astype("<f4")
    head = _HEAD.pack(2, len(points), _UNUSED, _UNUSED, _IS_TRAINED, _SQUARED_DISTANCE)
    return _KIND + head + _COUNT.pack(points.size) + points.tobytes()

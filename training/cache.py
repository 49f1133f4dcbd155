"""Arrays of different lengths on disk, in chunks: what is there after a stop is not made again."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from training.group import Group


def write_chunks(
    folder: Path,
    chunks: Sequence[range],
    group: Group,
    made: Callable[[range], list[np.ndarray]],
) -> None:
    """Make this process's share of the missing chunks; a file is written whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(group.rank, len(chunks), group.size):
        path = _path(folder, number)
        if path.exists():
            continue
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, np.concatenate([array.reshape(-1) for array in made(chunks[number])]))
        partial.replace(path)


class Ragged:
    """Read access to the arrays, by number; the shapes are known beforehand."""

    def __init__(
        self, folder: Path, chunks: Sequence[range], shapes: Sequence[tuple[int, ...]]
    ) -> None:
        self.shapes = shapes
        self.files = [
            np.load(_path(folder, number), mmap_mode="r") for number in range(len(chunks))
        ]
        self.places = {}
        for number, chunk in enumerate(chunks):
            ends = np.cumsum([0, *(int(np.prod(shapes[index])) for index in chunk)])
            for index, start, end in zip(chunk, ends[:-1], ends[1:], strict=True):
                self.places[index] = (number, int(start), int(end))

    def __getitem__(self, index: int) -> np.ndarray:
        number, start, end = self.places[index]
        return self.files[number][start:end].reshape(self.shapes[index])


def chunks(total: int, length: int) -> list[range]:
    """0 .. total - 1 in pieces."""
    return [range(start, min(start + length, total)) for start in range(0, total, length)]


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.npy"

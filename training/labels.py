"""What the generator knows about each cell of a scene: the teacher of the other objectives."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vl_core.datasets.scenes import COLORS, SHAPES, SIZES, Scene, SceneObject

CELL = 16  # scene pixels
BACKGROUND = 8  # label of shape and color where there is no object
IGNORED = -100  # label of size there
_COVERED = 0.25  # share of a cell that an object's box must cover


@dataclass(frozen=True)
class Labelled:
    """A scene and the labels of its cells, which are counted row by row."""

    scene: Scene

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.scene.height // CELL, self.scene.width // CELL

    @cached_property
    def covers(self) -> np.ndarray:
        """Which cells each object lies in: object x cell."""
        return np.stack([_covered(one, *self.grid) for one in self.scene.objects])

    @cached_property
    def owner(self) -> np.ndarray:
        """For each cell the object in it, of several the one with the nearest centre; -1: none."""
        rows, columns = self.grid
        row, column = np.divmod(np.arange(rows * columns), columns)
        distance = np.stack(
            [
                np.hypot((column + 0.5) * CELL - one.x, (row + 0.5) * CELL - one.y)
                for one in self.scene.objects
            ]
        )
        distance[~self.covers] = np.inf
        return np.where(self.covers.any(axis=0), distance.argmin(axis=0), -1)

    @cached_property
    def cell_labels(self) -> np.ndarray:
        """Shape, color and size in each cell: 3 x cell."""
        return self.object_labels[:, :3][self.owner].T

    @cached_property
    def object_labels(self) -> np.ndarray:
        """Shape, color, size, row, column of each object, then the background's: object + 1 x 5."""
        rows = [
            (
                SHAPES.index(one.shape),
                COLORS.index(one.color),
                SIZES.index(one.size),
                int(one.y // CELL),
                int(one.x // CELL),
            )
            for one in self.scene.objects
        ]
        return np.array([*rows, (BACKGROUND, BACKGROUND, *[IGNORED] * 3)])


def _covered(one: SceneObject, rows: int, columns: int) -> np.ndarray:
    """Cells of which the object's box covers a quarter, and always the cell of its centre."""
    left, top, right, bottom = one.box
    shares = _overlap(top, bottom, rows)[:, None] * _overlap(left, right, columns)[None, :]
    covered = shares >= _COVERED
    covered[int(one.y // CELL), int(one.x // CELL)] = True
    return covered.reshape(-1)


def _overlap(start: float, end: float, n_cells: int) -> np.ndarray:
    edges = np.arange(n_cells) * CELL
    return np.clip(np.minimum(end, edges + CELL) - np.maximum(start, edges), 0, None) / CELL

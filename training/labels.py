"""What the generator knows about each cell of a scene: the teacher of the other objectives."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vl_core.datasets.scenes import COLORS, SHAPES, SIZES, Scene, SceneObject
from vl_core.families.kdvlp.tags import covered

CELL = 16  # scene pixels
BACKGROUND = 8  # label of shape and color where there is no object
IGNORED = -100  # label of size there


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
        return np.stack([_covered(one, self.grid) for one in self.scene.objects])

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


def _covered(one: SceneObject, grid: tuple[int, int]) -> np.ndarray:
    """Cells that the object's box covers, as the model's own inputs count them."""
    center = int(one.y // CELL), int(one.x // CELL)
    return covered([edge / CELL for edge in one.box], center, grid)

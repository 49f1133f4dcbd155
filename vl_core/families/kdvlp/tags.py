"""Which cells show the objects that a text calls by their tags, as the model was taught it."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from vl_core.example import Region

Cell = tuple[int, int]  # row and column, from 0
Grid = tuple[int, int]  # rows and columns of cells

_COVERED = 0.25  # share of a cell that an object's box must cover


def covered(box: Sequence[float], center: Cell, grid: Grid) -> Bool[np.ndarray, "cell"]:
    """Cells, row by row, of which the box covers a quarter, and always the one of the center.

    box: left, top, right, bottom, counted in cells.
    """
    rows, columns = grid
    left, top, right, bottom = box
    shares = _overlap(top, bottom, rows)[:, None] * _overlap(left, right, columns)[None, :]
    found = shares >= _COVERED
    found[center] = True
    return np.asarray(found.reshape(-1))


def _overlap(start: float, end: float, n_cells: int) -> np.ndarray:
    edges = np.arange(n_cells)
    return np.clip(np.minimum(end, edges + 1) - np.maximum(start, edges), 0, None)


def cell_tags(
    regions: Sequence[Region], size: tuple[int, int], grid: Grid, n_tags: int
) -> Tensor | None:
    """1 x cell x tag: which numbered objects each cell shows; None if no region has a number.

    size: width and height of the picture that the boxes are in. Object 0 has tag 1, as tag 0 is
    unused. An object whose number is beyond the model's tags stays untagged; the model has no word
    for it either, so that where a text names it, the words are shown as unknown.
    """
    boxes = {region.number: region.box for region in regions if region.number is not None}
    if not boxes:
        return None
    tags = np.zeros((1, grid[0] * grid[1], n_tags), np.float32)
    for number, box in boxes.items():
        if 0 <= number < n_tags - 1:
            tags[0, :, number + 1] = _covered(box, size, grid)
    return torch.from_numpy(tags)


def _covered(
    box: tuple[float, float, float, float], size: tuple[int, int], grid: Grid
) -> Bool[np.ndarray, "cell"]:
    (width, height), (rows, columns) = size, grid
    scales = columns / width, rows / height
    left, top, right, bottom = (edge * scale for edge, scale in zip(box, scales * 2, strict=True))
    row, column = int((top + bottom) / 2), int((left + right) / 2)
    # A box may reach a hundredth of a pixel beyond the edge.
    center = min(row, rows - 1), min(column, columns - 1)
    return covered((left, top, right, bottom), center, grid)

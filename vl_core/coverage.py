"""How much of a picture the patches of a model cover: a center crop leaves its sides out."""

import numpy as np

from vl_core.arrays import Boxes


def covered_share(boxes: Boxes, size: tuple[int, int]) -> float:
    """The share (0..1) of a picture of that width and height that lies in any of the boxes.

    Boxes may overlap and may be cut by the edge; those without a place (nan) cover nothing.
    """
    placed = boxes[~np.isnan(boxes).any(axis=1)]
    lefts, tops, rights, bottoms = np.clip(placed, 0, np.tile(size, 2)).T
    # The edges of all boxes cut the picture into cells, each of which is covered or not.
    across = np.unique([*lefts, *rights, 0, size[0]])
    down = np.unique([*tops, *bottoms, 0, size[1]])
    is_covered = np.zeros((len(down) - 1, len(across) - 1), bool)
    columns = np.searchsorted(across, [lefts, rights]).T
    rows = np.searchsorted(down, [tops, bottoms]).T
    for (left, right), (top, bottom) in zip(columns, rows, strict=True):
        is_covered[top:bottom, left:right] = True
    areas = np.diff(down)[:, None] * np.diff(across)
    return float(areas[is_covered].sum() / areas.sum())

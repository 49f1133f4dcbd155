"""From boxes in a picture to the columns and rows of one grid, if they are that."""

import numpy as np
from jaxtyping import Float, Int

from vl_core.counted import counted
from vl_core.errors import DatasetError

TOLERANCE = 0.02  # of a patch, for what rounding moves an edge

Cells = Int[np.ndarray, "patch 2"]
PatchBoxes = Float[np.ndarray, "patch 4"]
Box = tuple[float, float, float, float]


def cells(boxes: PatchBoxes) -> tuple[Cells, Box]:
    """Column and row of each patch from the top left, and the box that all of them cover.

    Raises DatasetError unless patches of one size fill that box, each cell once.
    """
    n_without = int(np.isnan(boxes).any(axis=1).sum())
    if n_without:
        verb = "has" if n_without == 1 else "have"
        raise DatasetError(
            f"{n_without} of {counted(len(boxes), 'patch', 'patches')} {verb} no place in the "
            "picture, and the format of VL-InterpreT needs one for each. Such a model's traces can "
            "be saved as files only."
        )
    starts, ends = boxes[:, :2], boxes[:, 2:]
    origin, size = starts.min(axis=0), np.median(ends - starts, axis=0)
    found = np.round((starts - origin) / size).astype(int)
    is_regular = np.allclose(starts, origin + found * size, rtol=0, atol=TOLERANCE * size.min())
    is_even = np.allclose(ends - starts, size, rtol=0, atol=TOLERANCE * size.min())
    columns, rows = found.max(axis=0) + 1
    n_cells = len(np.unique(found, axis=0))
    if not (is_regular and is_even and n_cells == len(boxes) == columns * rows):
        raise DatasetError(
            f"{len(boxes)} patches do not tile one part of the picture in rows and columns, which "
            "the format of VL-InterpreT needs: they differ in size, overlap or leave gaps. Such a "
            "model's traces can be saved as files only."
        )
    left, top = origin.tolist()
    right, bottom = ends.max(axis=0).tolist()
    return found, (left, top, right, bottom)

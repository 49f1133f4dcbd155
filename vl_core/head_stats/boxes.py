"""How patches lie to boxes: how much of each is inside, and which of them count as a hit.

Boxes are left, top, right, bottom in pixels of the original picture; nan without a place.
"""

import numpy as np
from jaxtyping import Bool, Float

from vl_core.arrays import Boxes

HIT = 0.25  # how much of a patch the boxes must cover

SomeBoxes = Float[np.ndarray, "box 4"]


def covered(patches: Boxes, boxes: SomeBoxes) -> Float[np.ndarray, "token"]:
    """Which fraction of each patch lies inside any of the boxes; 0 for what has no place.

    The edges of the boxes cut the plane into cells, so that overlapping boxes count once.
    """
    lefts, rights, widths = _overlaps(patches[:, 0::2], boxes[:, 0::2])
    tops, bottoms, heights = _overlaps(patches[:, 1::2], boxes[:, 1::2])
    is_inside = np.zeros((len(lefts), len(tops)), bool)
    for left, top, right, bottom in boxes:
        across = (lefts >= left) & (rights <= right)
        is_inside |= across[:, None] & ((tops >= top) & (bottoms <= bottom))
    areas = np.einsum("pc,cr,pr->p", widths, is_inside, heights)
    sizes = np.prod(patches[:, 2:] - patches[:, :2], axis=1)
    return np.divide(areas, sizes, out=np.zeros(len(patches)), where=sizes > 0)


def hits(patches: Boxes, boxes: SomeBoxes) -> Bool[np.ndarray, "token"]:
    """Whether the boxes cover at least a quarter of a patch, or it contains the center of one.

    The center of a box counts, so that an object much smaller than a patch can be hit at all; on
    the edge between patches it is in each of them.
    """
    x, y = ((boxes[:, side] + boxes[:, side + 2]) / 2 for side in (0, 1))
    left, top, right, bottom = (edge[:, None] for edge in patches.T)
    holds_center = (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
    # Rounding must not decide about a patch that is covered by a quarter exactly.
    return holds_center.any(axis=1) | (covered(patches, boxes) >= HIT - 1e-9)


def _overlaps(
    patches: Float[np.ndarray, "token 2"], boxes: Float[np.ndarray, "box 2"]
) -> tuple[np.ndarray, np.ndarray, Float[np.ndarray, "token cell"]]:
    """Along one direction: cells between the boxes' edges, and how much of each patch is in each.

    Starts and ends of the cells, and the overlap of every patch with every cell in pixels.
    """
    edges = np.unique(boxes)
    starts, ends = edges[:-1], edges[1:]
    shared = np.minimum(patches[:, 1:], ends) - np.maximum(patches[:, :1], starts)
    return starts, ends, np.maximum(shared, 0)

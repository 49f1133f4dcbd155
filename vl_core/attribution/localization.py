"""How well a map over the picture agrees with boxes, by the measures of the head statistics.

A map is one number for each patch, none below 0 for `energy`, any for the others; its unit does
not matter. Patches and boxes are left, top, right, bottom in pixels of the original picture. A
patch without a place (nan) takes no part. Every measure is nan where it has no meaning.
"""

import numpy as np
from jaxtyping import Float

from vl_core.arrays import Boxes
from vl_core.head_stats.boxes import SomeBoxes, covered, hits

__all__ = ["auc", "center_prior", "covered", "energy", "hits", "pointing", "uniform"]

PatchMap = Float[np.ndarray, "token"]

PRIOR_WIDTH = 0.25  # standard deviation of the center prior, in sides of the picture


def energy(values: PatchMap, patches: Boxes, boxes: SomeBoxes) -> float:
    """The share of the map inside the boxes (0..1); a patch cut by a box counts by area.

    nan for a map of zeros and for boxes that no patch lies in.
    """
    inside = covered(patches, boxes)
    total = values[_placed(patches)].sum()
    return float(values @ inside / total) if total > 0 and inside.any() else float("nan")


def pointing(values: PatchMap, patches: Boxes, boxes: SomeBoxes) -> float:
    """1 if the strongest patch is a hit, else 0; those that are strongest together share the point.

    nan if no patch is a hit. Source: the pointing game of Zhang et al. 2018.
    """
    placed, hit = _placed(patches), hits(patches, boxes)
    if not hit.any():
        return float("nan")
    return float(hit[placed & (values == values[placed].max())].mean())


def auc(values: PatchMap, patches: Boxes, boxes: SomeBoxes) -> float:
    """The probability that a patch that is a hit gets more than one that is not; ties count half.

    0.5 is chance. nan if all patches are hits or none is.
    """
    placed, hit = _placed(patches), hits(patches, boxes)
    above, misses = values[hit], np.sort(values[placed & ~hit])
    if not len(above) or not len(misses):
        return float("nan")
    below, not_above = (np.searchsorted(misses, above, side=side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(misses)))


def uniform(patches: Boxes) -> PatchMap:
    """The map that is the same everywhere and sums to 1: what an unseeing method would give."""
    placed = _placed(patches)
    return placed / max(1, placed.sum())


def center_prior(patches: Boxes, size: tuple[int, int]) -> PatchMap:
    """A map that falls off from the picture's center and sums to 1: where objects often lie.

    A Gaussian of the patches' centers whose standard deviation is a quarter of each side. size:
    width and height of the picture in pixels.
    """
    middles = (patches[:, :2] + patches[:, 2:]) / 2
    away = (middles / size - 0.5) / PRIOR_WIDTH
    values = np.nan_to_num(np.exp(-(away**2).sum(axis=1) / 2))
    return np.asarray(values / max(values.sum(), np.finfo(float).tiny))


def _placed(patches: Boxes) -> np.ndarray:
    return ~np.isnan(patches).any(axis=1)

"""Ways to look at a map of heads: as it is, against all heads, layer by layer."""

import numpy as np

from vl_core.arrays import HeadMap, LayerCurve


def raw(values: HeadMap) -> HeadMap:
    """The values as they are, in the statistic's own unit."""
    return values


def z_scores(values: HeadMap) -> HeadMap:
    """Standard deviations from the mean over all heads of all layers.

    Heads that are all alike score 0; missing ones stay missing and do not count.
    """
    present = values[~np.isnan(values)]
    # Identical values can have a deviation of some 1e-17 from rounding: it must not be divided by.
    if not present.size or np.ptp(present) == 0:
        return values * 0.0
    return np.asarray((values - present.mean()) / present.std())


def layer_means(values: HeadMap) -> LayerCurve:
    """The mean over each layer's heads; missing heads do not count, a layer of them is missing."""
    present = ~np.isnan(values)
    totals, counts = np.where(present, values, 0).sum(axis=1), present.sum(axis=1)
    return np.divide(totals, counts, out=np.full(len(values), np.nan), where=counts > 0)

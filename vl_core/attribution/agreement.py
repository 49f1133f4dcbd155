"""Whether two ways of ranking the same things agree."""

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "..."]
Ranked = Float[np.ndarray, "value"]


def rank_correlation(one: Values, other: Values) -> float:
    """Spearman's rank correlation (-1..1); equal values share the mean of their ranks.

    Arrays of one shape are compared value by value; where either is missing (nan), both are left
    out. nan for fewer than two pairs, or where one side has a single value throughout.
    """
    present = ~(np.isnan(one) | np.isnan(other))
    first, second = _centered_ranks(one[present]), _centered_ranks(other[present])
    spread = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / spread if spread > 0 else float("nan")


def _centered_ranks(values: Ranked) -> Ranked:
    """Mean ranks, less their mean, so that a constant has nothing but zeros."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    # The ranks of equal values run from the count of those below to just before the next.
    middles = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(middles[which] - (len(values) - 1) / 2)

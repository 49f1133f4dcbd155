"""How far a mean over examples can be trusted: bootstrap intervals."""

import numpy as np
from jaxtyping import Float

CHUNK = 2**21  # values drawn at once


def interval(
    values: Float[np.ndarray, "value"], seed: int, draws: int = 2000, level: float = 0.95
) -> tuple[float, float]:
    """Low and high end of the percentile bootstrap interval of the mean.

    For a paired comparison give the differences. Missing values (nan) take no part; without any
    value both ends are nan. The same seed gives the same interval.
    """
    present = values[~np.isnan(values)]
    if not len(present):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK // len(present))
    means = np.concatenate(
        [
            present[rng.integers(len(present), size=(min(step, draws - start), len(present)))].mean(
                axis=1
            )
            for start in range(0, draws, step)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

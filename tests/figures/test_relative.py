"""Ratios on the picture: patches with a value, in multiples."""

import numpy as np

from tests.builders import random_tokens
from vl_core.figures.relative import relative_map


def test_patches_without_a_ratio_are_left_out():
    """Neither pointed at nor colored; the others keep their names and places."""
    tokens = random_tokens()
    values = np.full(12, np.nan)
    values[6], values[11], values[2] = 1.5, 0.25, 9.0

    figure = relative_map(np.full((64, 120, 3), 90, np.uint8), (60, 32), tokens, values, "A <b>")

    [marks] = figure.data
    assert list(marks.text) == ["patch 1, 1: 1.5 ×", "patch 2, 3: 0.25 ×"]
    assert list(zip(marks.x, marks.y, strict=True)) == [(20, 16), (100, 48)]
    assert (marks.marker.cmin, marks.marker.cmax) == (0, 1.5)
    assert marks.marker.colorbar.ticksuffix == " ×"
    assert figure.layout.title.text == "A &lt;b&gt;"

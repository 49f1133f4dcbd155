"""Which patches count as a hit."""

import numpy as np
import pytest

from vl_core.head_stats.boxes import hits

# Two patches of 8 x 4 pixels beside each other, and one without a place.
PATCHES = np.array([[0.0, 0, 8, 4], [8.0, 0, 16, 4], [np.nan] * 4])


@pytest.mark.parametrize(
    ("boxes", "wanted"),
    [
        ([(0, 0, 4, 2)], [True, False]),  # a quarter, exactly
        ([(6, 0, 16, 3.9)], [False, True]),
        ([(14, 0, 15, 1)], [False, True]),  # small, but its center is there
        ([(7.5, 1, 8.5, 3)], [True, True]),  # small, its center on the edge between both
        ([(1, 0, 3, 2), (2, 0, 4, 2), (6, 0, 8, 1)], [True, False]),  # a quarter only together
        ([(1, 5, 3, 9)], [False, False]),  # below the picture's patches
        ([(0, 0, 16, 4)], [True, True]),
        ([], [False, False]),
    ],
)
def test_hits_are_covered_by_a_quarter_or_hold_a_center(boxes, wanted):
    """What has no place is never hit."""
    came = hits(PATCHES, np.array(boxes, float).reshape(-1, 4))

    assert came.tolist() == [*wanted, False]


def test_a_quarter_is_a_quarter_whatever_the_rounding():
    """Patches of a third of a picture, as none of their edges is a whole number."""
    edges = np.linspace(0, 100, 4)
    patches = np.stack([edges[:-1], np.zeros(3), edges[1:], np.full(3, 100 / 7)], axis=1)
    boxes = np.array([[left, 0.0, left + 100 / 12, 100 / 7] for left in edges[:-1]])

    for patch in range(3):
        assert hits(patches, boxes[[patch]]).tolist() == [other == patch for other in range(3)]

"""The covered share of a picture, against counting pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import random_tokens
from tests.decoders import tower_tokens
from vl_core.coverage import covered_share

WIDTH, HEIGHT = 23, 17


@given(st.lists(st.tuples(*[st.integers(-3, 26)] * 4), max_size=8))
def test_the_share_is_that_of_the_pixels(corners):
    """Boxes overlap, are alike, lie beyond the edge; each pixel counts once."""
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    for left, top, right, bottom in boxes:
        pixels[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True

    found = covered_share(np.array(boxes, float).reshape(-1, 4), (WIDTH, HEIGHT))

    assert found == pytest.approx(pixels.mean())


def test_a_grid_covers_all_and_a_crop_its_part():
    """Tokens without a place do not count."""
    assert covered_share(random_tokens(rows=3, columns=7).boxes, (60, 32)) == pytest.approx(1)
    assert covered_share(tower_tokens().boxes, (60, 32)) == pytest.approx(0.6)

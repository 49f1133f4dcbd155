"""Color scales span the values they are given, in colors that reach the screen unchanged."""

import numpy as np
import pytest

from vl_core.figures import color_scale
from vl_core.figures.style import ATTENTION, DIVERGING, SEQUENTIAL

VALUES = np.array([[0.1, 0.5, np.nan], [0.9, 0.3, 0.2]])


def test_a_sequential_scale_runs_from_the_lowest_to_the_highest():
    """Missing values do not count; a map without any value has some scale."""
    scale, nothing = color_scale.sequential(VALUES), color_scale.sequential(np.full((2, 3), np.nan))

    assert (scale.low, scale.high) == (0.1, 0.9)
    assert nothing.low < nothing.high


def test_a_symmetric_scale_has_zero_in_the_middle():
    """As far up as down; up to a given limit; and some width when all values are zero."""
    scale = color_scale.symmetric(np.array([[-2.0, 0.5, np.nan]]))

    assert (scale.low, scale.high) == (-2, 2)
    assert len(scale.colors) % 2 == 1
    assert color_scale.symmetric(VALUES, 3.0).high == 3
    assert color_scale.symmetric(np.zeros((2, 3))).high > 0


def test_colors_are_the_named_scales():
    """In hex, from the darkest of viridis to its brightest."""
    colors = color_scale.hex_colors("Viridis")

    assert (colors[0], colors[-1]) == ("#440154", "#fde725")
    assert color_scale.hex_colors("RdBu_r")[0] == "#053061"


def test_a_scale_of_weights_begins_at_zero():
    """And ends at the largest weight; weights that are all zero, or none, have some scale."""
    scale = color_scale.from_zero(np.array([0.2, 0.7]))

    assert (scale.low, scale.high) == (0, 0.7)
    assert color_scale.from_zero(np.zeros(3)).high > 0
    assert color_scale.from_zero(np.zeros(0)).high > 0


@pytest.mark.parametrize("name", [SEQUENTIAL, ATTENTION, DIVERGING])
def test_plotly_is_given_colors_that_streamlit_does_not_replace(name):
    """Not #000001 to #000016, which stand for its theme's colors; Magma begins with #000004."""
    colors = color_scale.hex_colors(name)

    given = color_scale.ColorScale(0, 1, colors).for_plotly()

    assert [place for place, _ in given] == pytest.approx(np.linspace(0, 1, len(colors)))
    for color, (_, drawn) in zip(colors, given, strict=True):
        red, green, blue = bytes.fromhex(color[1:])
        assert drawn == f"rgb({red}, {green}, {blue})"

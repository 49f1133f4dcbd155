"""Ratios on the picture: patches with a value, in multiples."""

import numpy as np
import pytest

from tests.builders import random_tokens
from tests.decoders import TILES, WHOLE, language_tokens
from vl_core.figures.relative import n_beyond, reach, relative_map, times

GRAY = np.full((64, 120, 3), 90, np.uint8)


def test_patches_without_a_ratio_are_left_out():
    """Neither pointed at nor colored; the others keep their names and places."""
    tokens = random_tokens()
    values = np.full(12, np.nan)
    values[6], values[11], values[2] = 1.5, 0.25, 9.0

    figure = relative_map(GRAY, (60, 32), tokens, values, "A <b>")

    [marks] = figure.data
    assert list(marks.text) == ["patch 1, 1: 1.5 ×", "patch 2, 3: 0.25 ×"]
    assert list(zip(marks.x, marks.y, strict=True)) == [(20, 16), (100, 48)]
    assert figure.layout.title.text == "A &lt;b&gt;"


def test_colors_run_by_doublings_to_both_sides_of_one():
    """Half as much is as far from the middle as twice as much; the bar's marks are plain ratios."""
    values = np.full(12, np.nan)
    values[6:12] = [0.25, 0.5, 1, 2, 4, 3]

    marks = relative_map(GRAY, (60, 32), random_tokens(), values, "").data[0].marker

    np.testing.assert_allclose(marks.color, [-2, -1, 0, 1, 2, np.log2(3)])
    assert (marks.cmin, marks.cmax) == (-2, 2)
    assert marks.colorbar.tickvals == (-2, -1, 0, 1, 2)
    assert marks.colorbar.ticktext == ("≤ 1/4 ×", "1/2 ×", "1 ×", "2 ×", "≥ 4 ×")


def test_one_outlier_does_not_flatten_the_rest():
    """It has the last color and its own number; how many lie beyond is known."""
    tokens = random_tokens(rows=5, columns=6)
    values = np.full(len(tokens), np.nan)
    ratios = np.linspace(0.6, 3.1, 30)
    ratios[4], ratios[9] = 5309.2, 0
    values[6:] = ratios

    marks = relative_map(GRAY, (60, 32), tokens, values, "").data[0]

    assert (marks.marker.cmin, marks.marker.cmax) == (-2, 2)
    assert marks.text[4] == "patch 1, 5: 5,309 ×"
    assert (marks.marker.color[4], marks.marker.color[9]) == (2, -2)
    assert n_beyond(ratios) == 2
    assert np.ptp(np.delete(marks.marker.color, [4, 9])) > 2


@pytest.mark.parametrize(
    ("ratios", "doublings"),
    [([1.0, 1.1], 1), ([5.0] * 3, 3), ([0.0, 0.0], 1), ([2.0**40] * 5, 10), ([1 / 9] * 2, 4)],
)
def test_the_reach_of_the_colors_is_a_whole_number_of_doublings(ratios, doublings):
    """At least one, so that next to no difference stays pale, and no more than ten."""
    assert reach(np.array(ratios)) == doublings


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(5309.2, "5,309 ×"), (99.96, "100 ×"), (1.5, "1.5 ×"), (2e-7, "<0.001 ×"), (0.0, "0 ×")],
)
def test_ratios_are_plain_numbers(ratio, text):
    """No powers of ten."""
    assert times(ratio) == text


@pytest.mark.parametrize(("view", "first", "count"), [(WHOLE, 2, 6), (TILES, 8, 20)])
def test_one_view_of_the_picture_is_drawn(view, first, count):
    """Patches of the others lie over the same places and would hide them."""
    tokens = language_tokens()
    values = np.linspace(0.5, 2, len(tokens))

    marks = relative_map(GRAY, (60, 32), tokens, values, "", view).data[0]

    assert len(marks.x) == count
    assert marks.marker.color[0] == pytest.approx(np.log2(values[first]))
    assert all(text.split(":")[0].endswith(f"({view})") for text in marks.text)


@pytest.mark.parametrize("shape", [(64, 120), (90, 40), (30, 200)])
def test_the_figure_is_as_wide_as_its_picture(shape):
    """The color bar stands beside the picture, and not at the edge of the page."""
    values = np.full(12, 2.0)

    figure = relative_map(np.zeros((*shape, 3), np.uint8), (60, 32), random_tokens(), values, "")

    margin = figure.layout.margin
    inside = figure.layout.width - margin.l - margin.r, figure.layout.height - margin.t - margin.b
    assert inside[0] / inside[1] == pytest.approx(shape[1] / shape[0], rel=0.01)
    assert inside[0] <= 600
    assert figure.data[0].marker.colorbar.x == pytest.approx(1.02)

"""Figures of heads show the numbers they are given, and nothing for what is missing."""

import numpy as np
import pytest

from vl_core.figures import color_scale, heads
from vl_core.figures.style import KIND_COLORS

VALUES = np.array([[0.1, 0.5, np.nan], [0.9, 0.3, 0.2]])
MEANS = np.array([0.3, 0.4667])


@pytest.fixture
def figure():
    """Two layers, the first of them the model's third, by three heads."""
    scale = color_scale.sequential(VALUES)
    return heads.head_map(VALUES, MEANS, scale, name="Entropy", unit="nats", layers=(3, 4))


def test_the_map_shows_heads_and_means_under_one_scale(figure):
    """Both read their colors from the same axis, and layer numbers are the model's own."""
    cells, means, _ = figure.data

    np.testing.assert_array_equal(cells.z, VALUES)
    np.testing.assert_array_equal(np.array(means.z)[:, 0], MEANS)
    assert list(cells.y) == list(means.y) == ["3", "4"]
    assert cells.coloraxis == means.coloraxis
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0.1, 0.9)
    assert figure.layout.coloraxis.colorbar.title.text == "nats"


def test_the_first_layer_is_on_top_and_the_means_stand_apart(figure):
    """Rows run downwards; the column of means is more than one head's width away."""
    cells, means, _ = figure.data

    assert figure.layout.yaxis.autorange == "reversed"
    assert means.x[0] - max(cells.x) > 1
    assert figure.layout.xaxis.ticktext[-1] == "mean"


def test_missing_heads_are_crosses(figure):
    """At their own place, counted from 1."""
    crosses = figure.data[2]

    assert list(zip(crosses.x, crosses.y, strict=True)) == [(3, "3")]


def test_many_heads_leave_out_labels_not_cells():
    """80 x 64: labels are thinned, values are not."""
    values = np.zeros((80, 64))

    drawn = heads.head_map(
        values, values[:, 0], color_scale.sequential(values), name="", unit="", layers=range(1, 81)
    )

    assert np.shape(drawn.data[0].z) == (80, 64)
    assert len(drawn.layout.xaxis.tickvals) < 30


def test_the_profile_tells_who_looks_by_color_and_crossing_by_dashes():
    """One line for each direction that is there."""
    shares = {("text", "image"): np.array([0.2, 0.4]), ("image", "image"): np.array([0.7, np.nan])}

    across, within = heads.depth_profile(shares, (1, 2)).data

    assert (across.line.color, across.line.dash) == (KIND_COLORS["text"], "dash")
    assert (within.line.color, within.line.dash) == (KIND_COLORS["image"], "solid")
    np.testing.assert_array_equal(across.y, [0.2, 0.4])


def test_a_head_s_words_are_drawn_on_the_picture():
    """The patches with their weights fill the figure; it cannot be zoomed by accident."""
    picture = np.zeros((40, 60, 3), np.uint8)
    boxes = np.array([[0, 0, 20, 20], [20, 0, 60, 40]], float)

    drawn = heads.words_on_picture(picture, boxes, np.array([0.25, 0.5]), np.array(["a", "b"]))

    assert drawn.data[0].text == ("a: 25.00%", "b: 50.00%")
    assert (drawn.layout.images[0].sizex, drawn.layout.images[0].sizey) == (60, 40)
    assert drawn.layout.xaxis.fixedrange
    assert drawn.layout.yaxis.fixedrange

"""Figures of heads show the numbers they are given, and nothing for what is missing."""

import numpy as np
import pytest

from vl_core.figures import heads
from vl_core.figures.style import KIND_COLORS

VALUES = np.array([[0.1, 0.5, np.nan], [0.9, 0.3, 0.2]])
MEANS = np.array([0.3, 0.4667])


@pytest.fixture
def figure():
    """Two layers, the first of them the model's third, by three heads."""
    scale = heads.sequential(VALUES)
    return heads.head_map(VALUES, MEANS, scale, name="Entropy", unit="nats", layers=(3, 4))


def test_a_sequential_scale_runs_from_the_lowest_to_the_highest():
    """Missing values do not count; a map without any value has some scale."""
    scale, nothing = heads.sequential(VALUES), heads.sequential(np.full((2, 3), np.nan))

    assert (scale.low, scale.high) == (0.1, 0.9)
    assert nothing.low < nothing.high


def test_a_symmetric_scale_has_zero_in_the_middle():
    """As far up as down; up to a given limit; and some width when all values are zero."""
    scale = heads.symmetric(np.array([[-2.0, 0.5, np.nan]]))

    assert (scale.low, scale.high) == (-2, 2)
    assert len(scale.colors) % 2 == 1
    assert heads.symmetric(VALUES, 3.0).high == 3
    assert heads.symmetric(np.zeros((2, 3))).high > 0


def test_colors_are_the_named_scales():
    """In hex, from the darkest of viridis to its brightest."""
    colors = heads.hex_colors("Viridis")

    assert (colors[0], colors[-1]) == ("#440154", "#fde725")
    assert heads.hex_colors("RdBu_r")[0] == "#053061"


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
        values, values[:, 0], heads.sequential(values), name="", unit="", layers=range(1, 81)
    )

    assert np.shape(drawn.data[0].z) == (80, 64)
    assert len(drawn.layout.xaxis.tickvals) < 30


def test_no_color_is_one_that_streamlit_replaces(figure):
    """#000001 to #000016 stand for the theme's colors there; magma starts with #000004."""
    boxes, weights = np.array([[0.0, 0, 4, 4]]), np.ones(1)
    picture = np.zeros((4, 4, 3), np.uint8)
    overlay = heads.words_on_picture(picture, boxes, weights, np.array(["patch"]))

    for drawn in (figure, overlay):
        drawn.layout.template = None  # Streamlit's own, where it was imported, has them on purpose
        assert '"#0000' not in drawn.to_json()


def test_the_profile_tells_who_looks_by_color_and_crossing_by_dashes():
    """One line for each direction that is there."""
    shares = {("text", "image"): np.array([0.2, 0.4]), ("image", "image"): np.array([0.7, np.nan])}

    across, within = heads.depth_profile(shares, (1, 2)).data

    assert (across.line.color, across.line.dash) == (KIND_COLORS["text"], "dash")
    assert (within.line.color, within.line.dash) == (KIND_COLORS["image"], "solid")
    np.testing.assert_array_equal(across.y, [0.2, 0.4])


def test_the_strongest_patch_is_the_brightest_and_the_rest_keeps_its_place():
    """Weights fall on their own box; what no patch covers has no color."""
    picture = np.full((40, 60, 3), 100, np.uint8)
    boxes = np.array([[0, 0, 20, 20], [20, 0, 40, 20], [0, 20, 20, 40]], float)

    painted = heads.picture_with_weights(picture, boxes, np.array([0.1, 0.6, 0.3]))

    brightness = painted.astype(int).sum(axis=2)
    centres = [brightness[10, 10], brightness[10, 30], brightness[30, 10]]
    assert centres[1] > centres[2] > centres[0]
    assert np.ptp(painted[30, 50]) == 0  # gray
    assert (painted[25:, 25:] == painted[30, 50]).all()


def test_weights_that_are_all_zero_color_no_patch_brightly():
    """No division by zero, and no patch stands out."""
    picture = np.full((20, 30, 3), 100, np.uint8)
    boxes = np.array([[0, 0, 15, 20], [15, 0, 30, 20]], float)

    painted = heads.picture_with_weights(picture, boxes, np.zeros(2))

    assert (painted == painted[0, 0]).all()


def test_pointing_at_a_patch_tells_its_name_and_weight():
    """Each patch has an invisible marker at its centre."""
    picture = np.zeros((40, 60, 3), np.uint8)
    boxes = np.array([[0, 0, 20, 20], [20, 0, 60, 40]], float)

    [markers] = heads.words_on_picture(
        picture, boxes, np.array([0.25, 0.5]), np.array(["patch 1, 1", "patch 1, 2"])
    ).data

    assert list(markers.text) == ["patch 1, 1: 25.00%", "patch 1, 2: 50.00%"]
    assert list(zip(markers.x, markers.y, strict=True)) == [(10, 10), (40, 20)]

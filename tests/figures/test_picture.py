"""A picture under weights: each patch has the color, the place and the name of its own."""

import numpy as np
import plotly.graph_objects as go

from vl_core.figures.color_scale import symmetric
from vl_core.figures.picture import add_picture, picture_with_weights


def test_the_strongest_patch_is_the_brightest_and_the_rest_keeps_its_place():
    """Weights fall on their own box; what no patch covers has no color."""
    picture = np.full((40, 60, 3), 100, np.uint8)
    boxes = np.array([[0, 0, 20, 20], [20, 0, 40, 20], [0, 20, 20, 40]], float)

    painted = picture_with_weights(picture, boxes, np.array([0.1, 0.6, 0.3]))

    brightness = painted.astype(int).sum(axis=2)
    centres = [brightness[10, 10], brightness[10, 30], brightness[30, 10]]
    assert centres[1] > centres[2] > centres[0]
    assert np.ptp(painted[30, 50]) == 0  # gray
    assert (painted[25:, 25:] == painted[30, 50]).all()


def test_weights_that_are_all_zero_color_no_patch_brightly():
    """No division by zero, and no patch stands out."""
    picture = np.full((20, 30, 3), 100, np.uint8)
    boxes = np.array([[0, 0, 15, 20], [15, 0, 30, 20]], float)

    painted = picture_with_weights(picture, boxes, np.zeros(2))

    assert (painted == painted[0, 0]).all()


def test_pointing_at_a_patch_tells_its_name_and_weight():
    """Each patch has an invisible marker at its centre."""
    picture = np.zeros((40, 60, 3), np.uint8)
    boxes = np.array([[0, 0, 20, 20], [20, 0, 60, 40]], float)

    figure = go.Figure()
    names = ["patch 1, 1", "patch 1, 2"]

    add_picture(figure, picture, boxes, np.array([0.25, 0.5]), names)

    [markers] = figure.data

    assert list(markers.text) == ["patch 1, 1: 25.00%", "patch 1, 2: 50.00%"]
    assert list(zip(markers.x, markers.y, strict=True)) == [(10, 10), (40, 20)]
    assert markers.marker.opacity == 0


def test_the_picture_fills_its_axes_the_right_way_up():
    """Row 0 is on top, and a pixel is as wide as it is high."""
    figure = go.Figure()

    add_picture(
        figure, np.zeros((40, 60, 3), np.uint8), np.array([[0.0, 0, 20, 20]]), np.ones(1), ["a"]
    )

    [image] = figure.layout.images
    assert (image.x, image.y, image.sizex, image.sizey) == (0, 0, 60, 40)
    assert figure.layout.xaxis.range == (0, 60)
    assert figure.layout.yaxis.range == (40, 0)
    assert figure.layout.yaxis.scaleanchor == "x"


def test_the_color_bar_ends_at_the_strongest_patch():
    """Its colors are the picture's, in a form that reaches the screen unchanged."""
    figure = go.Figure()
    boxes = np.array([[0.0, 0, 20, 20], [20, 0, 60, 40]])

    add_picture(
        figure,
        np.zeros((40, 60, 3), np.uint8),
        boxes,
        np.array([0.1, 0.4]),
        ["a", "b"],
        bar_place=0.5,
    )

    marker = figure.data[0].marker
    assert (marker.cmin, marker.cmax) == (0, 0.4)
    assert marker.colorbar.x == 0.5
    assert all(color.startswith("rgb(") for _, color in marker.colorscale)


def test_around_zero_a_patch_is_colored_by_its_sign_and_as_densely_as_it_is_far():
    """Red above, blue below; zero is left all but alone, what is beyond the scale is its end."""
    picture = np.full((20, 80, 3), 100, np.uint8)
    boxes = np.array([[0, 0, 20, 20], [20, 0, 40, 20], [40, 0, 60, 20], [60, 0, 80, 20]], float)
    weights = np.array([-2.0, 0.0, 1.0, 9.0])

    painted = picture_with_weights(picture, boxes, weights, symmetric(weights[:0, None], 2.0))

    below, zero, above, beyond = painted[10, 10::20].astype(int)
    assert below[2] - below[0] > 60
    assert np.ptp(zero) < 5
    assert above[0] - above[2] > 20
    assert np.abs(above - 100).sum() < np.abs(beyond - 100).sum()

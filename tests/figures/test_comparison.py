"""A and B share a scale, their difference has one of its own around zero."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import grid, random_picture, random_tokens
from vl_core.figures import comparison
from vl_core.figures.comparison import (
    Seen,
    attention_maps,
    attention_on,
    difference_on,
    head_maps,
    heads_difference_scale,
    heads_scale,
    shares_scale,
    word_bars,
)
from vl_core.figures.style import KIND_COLORS

ONE = np.array([[0.1, 0.5, np.nan], [0.3, 0.3, 0.2]])
OTHER = np.array([[0.4, 0.0, 0.2], [0.3, 0.9, 0.1]])
PICTURE = np.asarray(random_picture((60, 40)))


def seen(weights, size=(60, 40)):
    """2 x 3 patches over a picture of that size."""
    picture = np.asarray(random_picture(size))
    return Seen(picture, grid(2, 3, size), np.array(weights), [f"patch {i}" for i in range(6)])


A = seen([0.1, 0.0, 0.05, 0.2, 0.0, 0.1])
B = seen([0.0, 0.3, 0.05, 0.1, 0.0, 0.2])


def test_heads_of_both_have_one_scale_and_their_difference_one_around_zero():
    """From the least to the greatest of both; what is missing does not count."""
    shared, difference = heads_scale(ONE, OTHER), heads_difference_scale(ONE, OTHER)

    assert (shared.low, shared.high) == (0, 0.9)
    assert (difference.low, difference.high) == pytest.approx((-0.6, 0.6))


def test_next_to_no_difference_stays_pale():
    """The colors reach to a hundredth of the shared scale at least, and there is no scale of 0."""
    nearly = heads_difference_scale(ONE, ONE + 1e-5)
    assert nearly.high == pytest.approx(0.01 * 0.4, rel=1e-3)
    assert heads_difference_scale(np.ones((2, 3)), np.ones((2, 3))).high == 1
    nothing = np.full((2, 3), np.nan)
    assert heads_difference_scale(nothing, nothing).high == 0.01


def test_the_three_maps_of_heads_show_a_b_and_b_minus_a():
    """Under two color axes: the first two maps and their means under the shared one."""
    figure = head_maps(ONE, OTHER, name="Entropy <b>", unit="nats", layers=(3, 4))

    cells = [trace for trace in figure.data if trace.type == "heatmap" and len(trace.x) == 3]
    means = [trace for trace in figure.data if trace.type == "heatmap" and len(trace.x) == 1]
    for trace, values in zip(cells, (ONE, OTHER, OTHER - ONE), strict=True):
        np.testing.assert_array_equal(trace.z, values)
        assert list(trace.y) == ["3", "4"]
    for traces in (cells, means):
        assert [one.coloraxis for one in traces] == ["coloraxis", "coloraxis", "coloraxis2"]
        assert len({(one.xaxis, one.yaxis) for one in traces}) == 3
    layout = figure.layout
    assert (layout.coloraxis.cmin, layout.coloraxis.cmax) == (0, 0.9)
    assert (layout.coloraxis2.cmin, layout.coloraxis2.cmax) == pytest.approx((-0.6, 0.6))
    assert layout.coloraxis2.colorbar.title.text == "nats, B − A"
    assert [one.text for one in layout.annotations] == ["A", "B", "B − A"]
    assert layout.title.text == "Entropy &lt;b&gt;"
    assert layout.yaxis3.autorange == "reversed"


def test_both_pictures_have_the_scale_of_the_strongest_patch_of_both():
    """So that a color means the same share in either."""
    scale = shares_scale(A.weights, B.weights)
    assert shares_scale(B.weights, A.weights) == scale
    one, other = (attention_on(one, scale).data[0] for one in (A, B))

    for marks, shown in ((one, A), (other, B)):
        assert (marks.marker.cmin, marks.marker.cmax) == (0, 0.3)
        np.testing.assert_array_equal(marks.marker.color, shown.weights)
    assert other.text[1] == "patch 1: 30.00%"


def test_a_difference_is_in_points_around_zero_with_its_sign():
    """Of the same patches, over the picture of B."""
    [marks] = difference_on(B, B.weights - A.weights, shares_scale(A.weights, B.weights)).data

    assert marks.text[:3] == (
        "patch 0: −10.00 percentage points",
        "patch 1: +30.00 percentage points",
        "patch 2: +0.00 percentage points",
    )
    assert (marks.marker.cmin, marks.marker.cmax) == pytest.approx((-30, 30))
    assert marks.marker.colorbar.title.text == "B − A, percentage points"


def test_equal_attention_is_not_colored_by_rounding():
    """A difference of a millionth is far from the ends of its scale."""
    [marks] = difference_on(B, np.full(6, 1e-6), shares_scale(A.weights, B.weights)).data

    assert marks.marker.cmax == pytest.approx(0.3)
    assert marks.text[0] == "patch 0: +0.00 percentage points"


def test_side_by_side_each_picture_has_axes_of_its_own():
    """Three panels with a picture each; of two grids there are only two."""
    figure = attention_maps(A, B, B.weights - A.weights)

    assert [one.xaxis for one in figure.data] == ["x", "x2", "x3"]
    assert [one.xref for one in figure.layout.images] == ["x", "x2", "x3"]
    assert [one.marker.cmax for one in figure.data] == pytest.approx([0.3, 0.3, 30])
    assert figure.layout.yaxis3.scaleanchor == "x3"
    assert figure.layout.yaxis3.range == (40, 0)
    assert [one.text for one in figure.layout.annotations] == ["A", "B", "B − A"]

    other = replace(seen([0.4, 0, 0, 0, 0, 0], (32, 60)), names=A.names)
    apart = attention_maps(A, other, None)
    assert [one.text for one in apart.layout.annotations] == ["A", "B"]
    assert [one.marker.cmax for one in apart.data] == [0.4, 0.4]
    assert apart.layout.xaxis2.range == (0, 32)


def test_the_bars_stand_in_pairs_under_the_names_that_b_has():
    """In the order of the tokens, in the color of their kind, A paler than B."""
    tokens = random_tokens(4, 2, 3)
    positions = np.array([0, 2, 4])

    one, other = word_bars(
        tokens, positions, np.array([0.5, 0.1, 0.05]), np.array([0.25, 0.2, 0.05])
    ).data

    assert list(one.y) == list(other.y) == ["1 [CLS]", "3 'the'", "5 'star'"]
    np.testing.assert_array_equal(one.x, [0.5, 0.1, 0.05])
    np.testing.assert_array_equal(other.x, [0.25, 0.2, 0.05])
    assert one.marker.opacity < other.marker.opacity == 1
    assert other.marker.color == (KIND_COLORS["special"], *[KIND_COLORS["text"]] * 2)
    assert one.text == (
        "−25.00 percentage points",
        "+10.00 percentage points",
        "+0.00 percentage points",
    )


def test_of_many_tokens_the_strongest_in_either_are_shown(monkeypatch):
    """One that only A looks at is shown as well."""
    monkeypatch.setattr(comparison, "MOST_BARS", 2)
    tokens = random_tokens(4, 0, 0)
    weights = np.array([0.01, 0.02, 0.5, 0.03]), np.array([0.02, 0.4, 0.0, 0.03])

    one, _ = word_bars(tokens, np.array([1, 2, 3, 4]), *weights).data

    assert list(one.y) == ["3 'the'", "4 'red'"]


def test_bars_of_next_to_nothing_are_short():
    """Their axis reaches to a hundredth of all attention at least."""
    tokens = random_tokens(4, 0, 0)

    few = word_bars(tokens, np.array([1, 2]), np.array([1e-5, 0]), np.array([2e-5, 1e-5]))
    many = word_bars(tokens, np.array([1, 2]), np.array([0.5, 0]), np.array([0.2, 0.1]))

    assert few.layout.xaxis.range == pytest.approx((0, 0.0105))
    assert many.layout.xaxis.range == pytest.approx((0, 0.525))

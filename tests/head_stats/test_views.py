"""Ways to look at a map of heads."""

import numpy as np

from vl_core.head_stats import views

NAN = np.nan
VALUES = np.array([[1.0, 4.0, NAN], [2.0, 9.0, 5.0]])


def test_raw_values_are_unchanged():
    """Raw is the map itself."""
    assert views.raw(VALUES) is VALUES


def test_z_scores_are_over_all_heads_of_all_layers():
    """Mean 0 and deviation 1 over what is present; missing heads stay missing."""
    present = [1.0, 4.0, 2.0, 9.0, 5.0]
    mean = sum(present) / 5
    deviation = (sum((value - mean) ** 2 for value in present) / 5) ** 0.5
    wanted = (VALUES - mean) / deviation

    np.testing.assert_allclose(views.z_scores(VALUES), wanted, atol=1e-12, equal_nan=True)


def test_z_scores_compare_heads_of_one_layer():
    """Raising one head in every layer raises its scores: VL-InterpreT's could not see it."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 3))
    raised = values + np.array([0, 5.0, 0])

    assert (views.z_scores(raised)[:, 1] > views.z_scores(raised)[:, [0, 2]].max(1)).all()


def test_equal_heads_score_zero():
    """Nothing stands out where all are alike, even if they cannot be written exactly."""
    assert (views.z_scores(np.full((7, 3), 0.1)) == 0).all()
    np.testing.assert_array_equal(views.z_scores(np.array([[0.1, NAN]])), [[0.0, NAN]])


def test_all_missing_stays_missing():
    """A statistic without meaning has no scores and no means, and no warning."""
    nothing = np.full((2, 3), NAN)

    assert np.isnan(views.z_scores(nothing)).all()
    assert np.isnan(views.layer_means(nothing)).all()


def test_layer_means_are_over_the_heads_present():
    """One number for each layer; missing heads do not count."""
    np.testing.assert_allclose(views.layer_means(VALUES), [2.5, 16 / 3])

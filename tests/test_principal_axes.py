"""Axes of largest variance, against the singular vectors of all points together."""

import tracemalloc

import numpy as np
import pytest

from vl_core.principal_axes import principal_axes


def parts(sizes=(5, 9, 30), width=13, seed=0):
    """Points in several parts, some directions longer than others."""
    rng = np.random.default_rng(seed)
    scale = (np.arange(width) + 1.0) ** -0.7
    return [(rng.normal(size=(size, width)) * scale).astype(np.float32) for size in sizes]


@pytest.mark.parametrize("count", [1, 2, 7, 13])
def test_axes_are_the_leading_singular_vectors(count):
    """Of all parts together, the largest first; each up to its sign."""
    some = parts()
    _, _, wanted = np.linalg.svd(np.concatenate(some).astype(float), full_matrices=False)

    axes = principal_axes(some, 13, count)

    assert axes.shape == (13, count)
    np.testing.assert_allclose(np.abs(axes.T @ wanted[:count].T), np.eye(count), atol=2e-3)


@pytest.mark.parametrize("width", [300, 900])
def test_noise_without_a_largest_direction_is_solved(width):
    """Where variances lie as close together as they come, the axes still hold the largest."""
    points = np.random.default_rng(1).normal(size=(240, width)).astype(np.float32)
    values = np.linalg.svd(points.astype(float), compute_uv=False)

    axes = principal_axes([points], width, 3)

    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(points @ axes, axis=0), values[:3], rtol=1e-4)


@pytest.mark.parametrize(
    ("n_points", "width", "count"), [(0, 6, 2), (1, 6, 2), (3, 2, 5), (4, 1, 2)]
)
def test_few_points_and_few_dimensions_have_axes(n_points, width, count):
    """As many as there are dimensions, orthonormal also where nothing varies."""
    points = np.random.default_rng(0).normal(size=(n_points, width)).astype(np.float32)

    axes = principal_axes([points], width, count)

    assert axes.shape == (width, min(count, width))
    np.testing.assert_allclose(axes.T @ axes, np.eye(axes.shape[1]), atol=1e-5)


def test_the_same_points_have_the_same_axes():
    """To the bit."""
    np.testing.assert_array_equal(principal_axes(parts(), 13, 2), principal_axes(parts(), 13, 2))


def test_no_table_of_all_pairs_is_formed():
    """3000 points of 2500 dimensions: either table alone would take 25 MB or more."""
    points = parts((3000,), 2500)
    tracemalloc.start()
    try:
        principal_axes(points, 2500, 2)
        assert tracemalloc.get_traced_memory()[1] < 12e6
    finally:
        tracemalloc.stop()

"""A map that is fitted to a sample: who is fitted, and where the others are placed."""

import numpy as np
import pytest

from vl_core import neighbour_maps
from vl_core.centring import directions
from vl_core.neighbour_maps import AMONG, n_fitted, placed_alone, placed_together

STATES, TOKENS, WIDTH = 3, 40, 7


@pytest.fixture
def states():
    """More points than may be fitted in these tests."""
    return np.random.default_rng(0).normal(size=(STATES, TOKENS, WIDTH)).astype(np.float32) + 5


@pytest.fixture(autouse=True)
def _limits(monkeypatch):
    monkeypatch.setattr(neighbour_maps, "FITTED", 50)
    monkeypatch.setattr(neighbour_maps, "FITTED_ALONE", 15)
    monkeypatch.setattr(neighbour_maps, "ROWS", 16)


class Fit:
    """A map that is known: the first two dimensions, doubled; it notes what it was given."""

    def __call__(self, vectors):
        """The first two dimensions, doubled."""
        self.vectors = vectors
        return 2 * vectors[:, :2] + 7


def plain_places(points, fitted):
    """Each point among the fitted ones nearest to it, the nearer the heavier, one by one."""
    found = []
    for point in points:
        squares = ((fitted - point) ** 2).sum(axis=1)
        nearest = np.argsort(squares)[:AMONG]
        if squares[nearest[0]] < 1e-9:
            found.append(2 * fitted[nearest[0], :2])
            continue
        shares = 1 / np.maximum(squares[nearest], 1e-6)
        found.append(2 * (fitted[nearest, :2] * shares[:, None]).sum(axis=0) / shares.sum())
    found = np.array(found)
    return found - found.mean(axis=0)


def test_a_sample_of_all_states_is_fitted_and_the_others_stand_among_it(states):
    """50 of 120 points, each once; every point where a loop places it."""
    fit = Fit()

    points = placed_together(states, fit)

    every = np.concatenate([directions(state) for state in states])
    assert points.shape == (STATES, TOKENS, 2)
    assert len(fit.vectors) == len(np.unique(fit.vectors, axis=0)) == 50
    assert all((every == vector).all(axis=1).any() for vector in fit.vectors)
    np.testing.assert_allclose(points.reshape(-1, 2), plain_places(every, fit.vectors), atol=1e-4)


def test_a_state_of_its_own_is_fitted_to_fewer(states):
    """15 of its 40 tokens."""
    fit = Fit()

    points = placed_alone(states[1], fit)

    assert len(fit.vectors) == 15
    np.testing.assert_allclose(points, plain_places(directions(states[1]), fit.vectors), atol=1e-4)


def test_few_points_are_all_fitted(states):
    """In their order, and nothing is placed by others."""
    fit = Fit()

    points = placed_together(states[:, :16], fit)

    vectors = np.concatenate([directions(state) for state in states[:, :16]])
    np.testing.assert_array_equal(fit.vectors, vectors)
    wanted = 2 * vectors[:, :2] - (2 * vectors[:, :2]).mean(axis=0)
    np.testing.assert_allclose(points.reshape(-1, 2), wanted, atol=1e-5)


def test_wide_states_are_reduced_before_they_are_fitted():
    """To the 50 directions of largest variance: distances between few points are all kept."""
    states = np.random.default_rng(1).normal(size=(1, 12, 300)).astype(np.float32)
    fit = Fit()

    placed_together(states, fit)

    assert fit.vectors.shape == (12, neighbour_maps.KEPT_DIMENSIONS)
    apart = [np.linalg.norm(x[:, None] - x, axis=2) for x in (fit.vectors, directions(states[0]))]
    np.testing.assert_allclose(apart[0], apart[1], atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "joint", "count"),
    [((3, 40), True, 50), ((3, 40), False, 15), ((2, 9), True, 18), ((2, 9), False, 9)],
)
def test_how_many_are_fitted_is_known_beforehand(shape, joint, count):
    """What a page says of a map is what was done."""
    assert n_fitted(*shape, joint=joint) == count

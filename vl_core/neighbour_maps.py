"""Fitting a map of neighbourhoods to many points: a sample is fitted, the others placed among it.

Tokens are compared by the cosine of their states: each state is centred and its vectors have
length one, so that the square of their distance is 2 - 2 cosine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from vl_core.arrays import Points
from vl_core.centring import Centred, State, States, directions
from vl_core.principal_axes import Basis, principal_axes

Vectors = Float32[np.ndarray, "point width"]
Reduced = Float32[np.ndarray, "point kept"]
Map = Float[np.ndarray, "point 2"]
Fit = Callable[[Vectors], Map]
Chosen = Int[np.ndarray, "chosen"]

FITTED = 4000  # points that are fitted together: a minute of t-SNE, half of it of UMAP
FITTED_ALONE = 1500  # ... where each state has a map of its own: they add up
KEPT_DIMENSIONS = 50  # what UMAP and t-SNE see of the states: usual, and far faster
AMONG = 3  # fitted points that say where another one is placed
ROWS = 512  # points whose distances to all fitted ones are formed together
SEED = 0


def n_fitted(n_states: int, n_tokens: int, *, joint: bool) -> int:
    """How many points a map is fitted to: of all states together, or of each state."""
    return min(n_states * n_tokens, FITTED) if joint else min(n_tokens, FITTED_ALONE)


def placed_together(hidden_states: States, fit: Fit) -> Points:
    """All states in one map: state x token x 2."""
    n_states, n_tokens, width = hidden_states.shape
    count = n_fitted(n_states, n_tokens, joint=True)
    return _placed(_Directions(hidden_states), n_tokens, width, fit, count)


def placed_alone(state: State, fit: Fit) -> Map:
    """One state in a map of its own: token x 2."""
    n_tokens, width = state.shape
    count = n_fitted(1, n_tokens, joint=False)
    return np.asarray(_placed([directions(state)], n_tokens, width, fit, count)[0])


@dataclass(frozen=True, eq=False)
class _Directions:
    """Each state's vectors, centred and of length one."""

    hidden_states: States

    def __iter__(self) -> Iterator[Centred]:
        return map(directions, self.hidden_states)

    def __len__(self) -> int:
        return len(self.hidden_states)


def _placed(
    parts: "list[Centred] | _Directions", n_tokens: int, width: int, fit: Fit, count: int
) -> Points:
    """Points of all parts, centred; all at zero where nothing tells the vectors apart."""
    points = np.zeros((len(parts), n_tokens, 2), np.float32)
    chosen = _drawn(len(parts) * n_tokens, count)
    sample = _gathered(parts, n_tokens, width, chosen)
    if (sample == sample[:1]).all():
        return points
    axes = _kept_axes(sample)
    seen = sample @ axes
    fitted = fit(seen).astype(np.float32)
    if count < len(parts) * n_tokens:
        for number, part in enumerate(parts):
            points[number] = _among(part @ axes, seen, fitted)
    points.reshape(-1, 2)[chosen] = fitted
    return np.asarray(points - points.mean(axis=(0, 1)))


def _drawn(n_points: int, count: int) -> Chosen:
    """So many different points, always the same ones, in their order."""
    if count == n_points:
        return np.arange(n_points)
    return np.sort(np.random.default_rng(SEED).choice(n_points, count, replace=False))


def _gathered(
    parts: "list[Centred] | _Directions", n_tokens: int, width: int, chosen: Chosen
) -> Vectors:
    """The vectors of the chosen points, which are counted through all parts."""
    found = np.zeros((len(chosen), width), np.float32)
    part_of, token = np.divmod(chosen, max(n_tokens, 1))
    for number, part in enumerate(parts):
        here = part_of == number
        found[here] = part[token[here]]
    return found


def _kept_axes(vectors: Vectors) -> Basis:
    """The directions of their largest variance, or all where they are few."""
    width = vectors.shape[1]
    if width <= KEPT_DIMENSIONS:
        return np.eye(width, dtype=np.float32)
    return principal_axes([vectors - vectors.mean(axis=0)], width, KEPT_DIMENSIONS)


def _among(
    points: Reduced,
    fitted: Float32[np.ndarray, "fitted kept"],
    places: Float32[np.ndarray, "fitted 2"],
) -> Map:
    """Where points go: the mean of the fitted ones nearest to them, the nearer the heavier."""
    found = np.empty((len(points), 2), np.float32)
    squares = np.square(fitted).sum(axis=1)
    for start in range(0, len(points), ROWS):
        some = points[start : start + ROWS]
        apart = np.square(some).sum(axis=1)[:, None] + squares - 2 * some @ fitted.T
        nearest = np.argpartition(apart, AMONG - 1, axis=1)[:, :AMONG]
        shares = 1 / np.maximum(np.take_along_axis(apart, nearest, axis=1), 1e-6)
        shares /= shares.sum(axis=1, keepdims=True)
        found[start : start + ROWS] = (places[nearest] * shares[..., None]).sum(axis=1)
    return found

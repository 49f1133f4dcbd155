"""Hidden states in two dimensions, so that tokens can be followed through the layers.

PCA is at hand at once. UMAP and t-SNE take seconds to minutes and are imported when they are asked
for; their seeds are fixed, so the same states always give the same picture. States are unpacked one
at a time, and no table of token x token is formed.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from vl_core.arrays import Points, StateCurve
from vl_core.centring import Centred, State, States, centred
from vl_core.errors import ProjectionError
from vl_core.neighbour_maps import Fit, Map, Vectors, placed_alone, placed_together
from vl_core.principal_axes import principal_axes

# Share that is done (0..1), or None where that is unknown, and what is being done.
Progress = Callable[[float | None, str], None]

SEED = 0
FEWEST_TOKENS = 5  # with fewer there are no neighbourhoods to keep
# numba's threads must not be entered twice, and the limit on BLAS threads holds for the whole
# process: two that overlap would put back each other's.
_fitting = threading.Lock()


def pca(hidden_states: States) -> Points:
    """The two directions of largest variance of each state, turned to fit the state before.

    state x token x 2, float32, in the units of the states. Each state has its own plane; its
    points are turned or mirrored onto those of the state before (orthogonal Procrustes, Schönemann
    1966), which changes no distance between them and lets points glide from state to state. Where
    there is no variance, points lie at zero.
    """
    points = _nowhere(hidden_states)
    for state, vectors in enumerate(hidden_states):
        seen = centred(vectors)
        axes = principal_axes([seen], seen.shape[1], 2)
        points[state, :, : axes.shape[1]] = seen @ axes
        points[state] *= _signs(points[state])
    return _aligned(points)


def joint_pca(hidden_states: States) -> Points:
    """All states in one plane, the two directions of largest variance over all of them.

    state x token x 2, float32. Each state is centred and divided by the root mean square length of
    its tokens first, as later layers are often many times larger and would hide the others.
    """
    points = _nowhere(hidden_states)
    scaled = _Scaled(hidden_states)
    axes = principal_axes(scaled, hidden_states.shape[2], 2)
    for state, vectors in enumerate(scaled):
        points[state, :, : axes.shape[1]] = vectors @ axes
    return points * _signs(points.reshape(-1, 2))


@dataclass(frozen=True, eq=False)
class _Scaled:
    """Each state centred, and so that its tokens' mean square length is one."""

    hidden_states: States

    def __iter__(self) -> Iterator[Centred]:
        return map(_scaled, self.hidden_states)


def _scaled(state: State) -> Centred:
    vectors = centred(state)
    square = _square(vectors) / max(len(vectors), 1)
    vectors *= np.float32(1 / np.sqrt(square) if square > 0 else 1)
    return vectors


def _square(vectors: Centred) -> float:
    """The sum of all squares; a product is several times as fast as any other way."""
    return float(np.vdot(vectors, vectors))


def _nowhere(hidden_states: States) -> Points:
    return np.zeros((*hidden_states.shape[:2], 2), np.float32)


def _signs(points: Float32[np.ndarray, "point 2"]) -> Float32[np.ndarray, "2"]:
    """The factors, 1 or -1, with which the farthest point of each axis lies on its positive side.

    An axis has no direction of its own; so it is always the same one.
    """
    if not len(points):
        return np.ones(2, np.float32)
    farthest = points[np.abs(points).argmax(axis=0), [0, 1]]
    return np.where(farthest < 0, -1, 1).astype(np.float32)


def share_shown(hidden_states: States, points: Points) -> StateCurve:
    """How much of each state's variance its points from `pca` keep, 0..1; nan without variance."""
    whole = np.array([_square(centred(vectors)) for vectors in hidden_states])
    kept = np.square(points, dtype=np.float64).sum(axis=(1, 2))
    return np.divide(kept, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def joint_share_shown(points: Points) -> StateCurve:
    """How much of each state's variance its points from `joint_pca` keep, 0..1; nan without any.

    A state whose points all lie at zero counts as one without variance.
    """
    # There each state was scaled so that the mean square length of its tokens is one.
    kept = np.square(points, dtype=np.float64).sum(axis=(1, 2)) / max(points.shape[1], 1)
    return np.where(kept > 0, kept, np.nan)


def umap(hidden_states: States, *, joint: bool = True, progress: Progress | None = None) -> Points:
    """A map that keeps neighbourhoods (McInnes et al. 2018), 15 neighbours wide where there are.

    See `tsne` for the arguments, the result and what is compared.
    """
    tell = progress or _silent
    tell(None, "Loading UMAP")
    from umap import UMAP  # noqa: PLC0415 takes seconds, and few visitors ask for it

    def fit(vectors: Vectors) -> Map:
        n_neighbors = min(15, len(vectors) - 1)
        # The start from PCA needs no eigenvectors of the graph, which small ones do not have.
        return np.asarray(
            UMAP(n_neighbors=n_neighbors, init="pca", random_state=SEED, n_jobs=1).fit_transform(
                vectors
            )
        )

    return _mapped(hidden_states, fit, tell, joint=joint)


def tsne(hidden_states: States, *, joint: bool = True, progress: Progress | None = None) -> Points:
    """A map that keeps near tokens near (van der Maaten and Hinton 2008), perplexity 30 or less.

    state x token x 2, float32, without a unit. Tokens are compared by the cosine of their states,
    each state centred. joint: one map of all states together, in which a token can be followed;
    otherwise each state has its own, turned to fit the one before. Of very many points a sample is
    fitted and the others are placed among it; see `neighbour_maps`. Raises ProjectionError for
    fewer than five tokens.
    """
    tell = progress or _silent
    tell(None, "Loading t-SNE")
    from sklearn.manifold import TSNE  # noqa: PLC0415 takes a second, and few visitors ask for it

    def fit(vectors: Vectors) -> Map:
        perplexity = min(30, (len(vectors) - 1) / 3)
        return TSNE(perplexity=perplexity, init="pca", random_state=SEED).fit_transform(vectors)

    return _mapped(hidden_states, fit, tell, joint=joint)


def _mapped(hidden_states: States, fit: Fit, tell: Progress, *, joint: bool) -> Points:
    """The map, one at a time in this process and on one thread."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 few visitors need it

    _check_tokens(hidden_states.shape[1])
    if _fitting.locked():
        tell(None, "Another map is being made; yours is next")
    # Several threads add up in any order, which would make each map a little different.
    with _fitting, threadpool_limits(1):
        points = _placed(hidden_states, fit, tell, joint=joint)
    tell(1.0, "Done")
    return points


def _check_tokens(n_tokens: int) -> None:
    if n_tokens < FEWEST_TOKENS:
        raise ProjectionError(
            f"{n_tokens} tokens are too few for a map of neighbourhoods; at least {FEWEST_TOKENS} "
            "are wanted. Choose PCA instead."
        )


def _placed(hidden_states: States, fit: Fit, tell: Progress, *, joint: bool) -> Points:
    n_states, n_tokens, _ = hidden_states.shape
    if joint:
        # UMAP and t-SNE do not say how far they are.
        tell(None, f"Placing {n_states} states of {n_tokens} tokens together")
        return placed_together(hidden_states, fit)
    points = _nowhere(hidden_states)
    for state, vectors in enumerate(hidden_states):
        tell(state / n_states, f"Placing state {state + 1} of {n_states}")
        points[state] = placed_alone(vectors, fit)
    return _aligned(points)


def _aligned(points: Points) -> Points:
    """Each state turned or mirrored as a whole, to lie nearest to the state before."""
    aligned = points.astype(np.float32)
    for state in range(1, len(aligned)):
        left, _, right = np.linalg.svd(aligned[state].T @ aligned[state - 1])
        aligned[state] @= left @ right
    return aligned


def _silent(_share: float | None, _doing: str) -> None:
    """What is told nobody."""

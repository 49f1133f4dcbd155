"""Hidden states in two dimensions, so that tokens can be followed through the layers.

PCA is at hand in milliseconds. UMAP and t-SNE take seconds to minutes and are imported when they
are asked for; their seeds are fixed, so the same states always give the same picture.
"""

import threading
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float32

from vl_core.arrays import HiddenStates, Points, StateCurve
from vl_core.errors import ProjectionError

# Share that is done (0..1), or None where that is unknown, and what is being done.
Progress = Callable[[float | None, str], None]
States = Float32[np.ndarray, "state token width"]
Vectors = Float32[np.ndarray, "point width"]
Map = Float[np.ndarray, "point 2"]
Fit = Callable[[Vectors], Map]

SEED = 0
BLOCK = 16  # directions that are improved together; the spare ones speed the first two up
FEWEST_TOKENS = 5  # with fewer there are no neighbourhoods to keep
KEPT_DIMENSIONS = 50  # what UMAP and t-SNE see of the states: usual, and far faster
# numba's threads must not be entered twice, and the limit on BLAS threads holds for the whole
# process: two that overlap would put back each other's.
_fitting = threading.Lock()


def pca(hidden_states: HiddenStates) -> Points:
    """The two directions of largest variance of each state, turned to fit the state before.

    state x token x 2, float32, in the units of the states. Each state has its own plane; its
    points are turned or mirrored onto those of the state before (orthogonal Procrustes, Schönemann
    1966), which changes no distance between them and lets points glide from state to state. Where
    there is no variance, points lie at zero.
    """
    return _aligned(_principal_points(_centred(hidden_states)))


def joint_pca(hidden_states: HiddenStates) -> Points:
    """All states in one plane, the two directions of largest variance over all of them.

    state x token x 2, float32. Each state is centred and divided by the root mean square length of
    its tokens first, as later layers are often many times larger and would hide the others.
    """
    n_states, n_tokens, width = hidden_states.shape
    centred = _centred(hidden_states)
    squares = np.square(centred, dtype=np.float64).sum(axis=(1, 2), keepdims=True)
    scaled = centred / np.sqrt(np.where(squares > 0, squares / max(n_tokens, 1), 1))
    pooled = scaled.reshape(1, n_states * n_tokens, width).astype(np.float32)
    return _principal_points(pooled).reshape(n_states, n_tokens, 2)


def share_shown(hidden_states: HiddenStates, points: Points) -> StateCurve:
    """How much of each state's variance its points from `pca` keep, 0..1; nan without variance."""
    whole = np.square(_centred(hidden_states), dtype=np.float64).sum(axis=(1, 2))
    kept = np.square(points, dtype=np.float64).sum(axis=(1, 2))
    return np.divide(kept, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def joint_share_shown(points: Points) -> StateCurve:
    """How much of each state's variance its points from `joint_pca` keep, 0..1; nan without any.

    A state whose points all lie at zero counts as one without variance.
    """
    # There each state was scaled so that the mean square length of its tokens is one.
    kept = np.square(points, dtype=np.float64).sum(axis=(1, 2)) / max(points.shape[1], 1)
    return np.where(kept > 0, kept, np.nan)


def umap(
    hidden_states: HiddenStates, *, joint: bool = True, progress: Progress | None = None
) -> Points:
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


def tsne(
    hidden_states: HiddenStates, *, joint: bool = True, progress: Progress | None = None
) -> Points:
    """A map that keeps near tokens near (van der Maaten and Hinton 2008), perplexity 30 or less.

    state x token x 2, float32, without a unit. Tokens are compared by the cosine of their states,
    each state centred. joint: one map of all states together, in which a token can be followed;
    otherwise each state has its own, turned to fit the one before. Raises ProjectionError for
    fewer than five tokens.
    """
    tell = progress or _silent
    tell(None, "Loading t-SNE")
    from sklearn.manifold import TSNE  # noqa: PLC0415 takes a second, and few visitors ask for it

    def fit(vectors: Vectors) -> Map:
        perplexity = min(30, (len(vectors) - 1) / 3)
        return TSNE(perplexity=perplexity, init="pca", random_state=SEED).fit_transform(vectors)

    return _mapped(hidden_states, fit, tell, joint=joint)


def _mapped(hidden_states: HiddenStates, fit: Fit, tell: Progress, *, joint: bool) -> Points:
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


def _placed(hidden_states: HiddenStates, fit: Fit, tell: Progress, *, joint: bool) -> Points:
    n_states, n_tokens, width = hidden_states.shape
    directions = _directions(hidden_states)
    if joint:
        # UMAP and t-SNE do not say how far they are.
        tell(None, f"Placing {n_states} states of {n_tokens} tokens together")
        points = _fitted(directions.reshape(n_states * n_tokens, width), fit)
        return points.reshape(n_states, n_tokens, 2)
    points = np.zeros((n_states, n_tokens, 2), np.float32)
    for state in range(n_states):
        tell(state / n_states, f"Placing state {state + 1} of {n_states}")
        points[state] = _fitted(directions[state], fit)
    return _aligned(points)


def _centred(hidden_states: HiddenStates) -> States:
    """Each state without the mean of its tokens."""
    states = hidden_states.astype(np.float32)
    total = states.sum(axis=1, keepdims=True, dtype=np.float64)
    # A mean in double precision leaves exactly nothing of a constant state.
    return states - (total / max(states.shape[1], 1)).astype(np.float32)


def _directions(hidden_states: HiddenStates) -> States:
    """Centred states of length one: the square of their distance is 2 - 2 cosine."""
    centred = _centred(hidden_states)
    lengths = np.linalg.norm(centred, axis=2, keepdims=True)
    largest = np.abs(hidden_states).max(axis=(1, 2), keepdims=True, initial=0)
    # A token in the mean may miss it by rounding; that has no direction.
    is_apart = lengths > 1e-6 * largest
    return np.divide(centred, lengths, out=np.zeros_like(centred), where=is_apart)


def _fitted(vectors: Vectors, fit: Fit) -> Map:
    """Centred points; all at zero where nothing tells the vectors apart."""
    if (vectors == vectors[:1]).all():
        return np.zeros((len(vectors), 2), np.float32)
    points = fit(_reduced(vectors))
    return (points - points.mean(axis=0)).astype(np.float32)


def _reduced(vectors: Vectors) -> Float32[np.ndarray, "point kept"]:
    """The vectors in the directions of their largest variance."""
    if vectors.shape[1] <= KEPT_DIMENSIONS:
        return vectors
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return centred @ axes[:, -KEPT_DIMENSIONS:]


def _principal_points(centred: States) -> Points:
    """Each state's tokens on its first two principal axes, with signs that are always the same."""
    n_states, n_tokens, width = centred.shape
    points = np.zeros((n_states, n_tokens, 2), np.float32)
    n_axes = min(n_tokens, width, 2)
    if not n_axes:
        return points
    transposed = centred.transpose(0, 2, 1)
    if n_tokens <= width:
        values, vectors = _leading(centred @ transposed, n_axes)
        points[..., :n_axes] = vectors * np.sqrt(np.maximum(values, 0))[:, None]
    else:
        _, vectors = _leading(transposed @ centred, n_axes)
        points[..., :n_axes] = centred @ vectors
    farthest = np.abs(points).argmax(axis=1, keepdims=True)
    return points * np.where(np.take_along_axis(points, farthest, axis=1) < 0, -1, 1)


def _leading(
    grams: Float32[np.ndarray, "state size size"], count: int
) -> tuple[Float32[np.ndarray, "state count"], Float32[np.ndarray, "state size count"]]:
    """The largest eigenvalues and their vectors, largest first.

    Subspace iteration, several times faster than all eigenvalues, until it stands still; states
    whose eigenvalues lie too close for that are solved in full.
    """
    size = grams.shape[1]
    start = np.random.default_rng(SEED).normal(size=(size, min(BLOCK, size)))
    basis = np.broadcast_to(start.astype(np.float32), (len(grams), *start.shape))
    for _ in range(8):
        for _ in range(6):
            basis = np.linalg.qr(grams @ basis)[0]
        values, turn = np.linalg.eigh(basis.transpose(0, 2, 1) @ grams @ basis)
        values, vectors = values[:, ::-1][:, :count], (basis @ turn)[..., ::-1][..., :count]
        left = np.abs(grams @ vectors - vectors * values[:, None]).max(axis=(1, 2), initial=0)
        unsolved = left > 1e-4 * values.max(axis=1)
        if not unsolved.any():
            return values, vectors
    exact_values, exact = np.linalg.eigh(grams[unsolved])
    values[unsolved] = exact_values[:, ::-1][:, :count]
    vectors[unsolved] = exact[..., ::-1][..., :count]
    return values, vectors


def _aligned(points: Points) -> Points:
    """Each state turned or mirrored as a whole, to lie nearest to the state before."""
    aligned = points.astype(np.float32)
    for state in range(1, len(aligned)):
        left, _, right = np.linalg.svd(aligned[state].T @ aligned[state - 1])
        aligned[state] @= left @ right
    return aligned


def _silent(_share: float | None, _doing: str) -> None:
    """What is told nobody."""

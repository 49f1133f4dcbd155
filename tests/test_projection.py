"""Projections: right by definition where there is one, the same each time, never nan."""

import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Event

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from vl_core import neighbour_maps
from vl_core.errors import ProjectionError
from vl_core.projection import joint_pca, joint_share_shown, pca, share_shown, tsne, umap
from vl_core.trace import Stream, TokenTable
from vl_core.trace.unpacked import UnpackedStates

STATES, TOKENS, WIDTH = 4, 9, 13
MAPS = [umap, tsne]


def random_states(states=STATES, tokens=TOKENS, width=WIDTH, seed=0):
    """States that drift from layer to layer, some directions larger than others, off the origin."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(states, tokens, width)) * (np.arange(width) + 1.0) ** -0.7
    return (np.cumsum(steps, axis=0) + 3).astype(np.float32)


def clusters(tokens=20, width=13):
    """Two states of two groups that lie far apart, the first half of the tokens in one."""
    rng = np.random.default_rng(0)
    states = rng.normal(scale=0.1, size=(2, tokens, width))
    states[:, : tokens // 2, 0] += 5
    states[:, tokens // 2 :, 1] += 5
    return states.astype(np.float32)


def plain_pca(vectors):
    """Centre, then the first two singular vectors, in double precision."""
    centred = vectors.astype(float) - vectors.astype(float).mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    return left[:, :2] * values[:2]


def distances(points):
    """Between each two points: what no rotation or reflection changes."""
    return np.linalg.norm(points[:, None] - points, axis=-1)


@pytest.mark.parametrize(("tokens", "width"), [(9, 13), (40, 6), (3, 100), (2, 5)])
def test_pca_equals_the_singular_vectors(tokens, width):
    """Each state, up to turning and mirroring, whether tokens or dimensions are more."""
    states = random_states(tokens=tokens, width=width)

    points = pca(states)

    assert points.dtype == np.float32
    assert points.shape == (STATES, tokens, 2)
    for found, vectors in zip(points, states, strict=True):
        wanted = distances(plain_pca(vectors))
        np.testing.assert_allclose(distances(found), wanted, atol=2e-3 * wanted.max())


def test_pca_finds_the_plane_among_hundreds_of_tokens():
    """At the size of a real model, where only the leading directions are computed."""
    for kind in ("drift", "noise"):
        states = random_states(2, 240, 768)
        if kind == "noise":  # eigenvalues as close together as they come
            states = np.random.default_rng(0).normal(size=states.shape).astype(np.float32)
        for found, vectors in zip(pca(states), states, strict=True):
            wanted = distances(plain_pca(vectors))
            np.testing.assert_allclose(distances(found), wanted, atol=0.02 * wanted.max())


def test_pca_of_equal_directions_is_solved_in_full():
    """Where no direction is largest, any plane is right, but it must be one of the states."""
    states = np.eye(60, 70, dtype=np.float32)[None]

    points = pca(states)

    # Each of the 59 directions of this simplex has variance one.
    np.testing.assert_allclose((points**2).sum(axis=1), 1, rtol=1e-3)


def test_pca_signs_are_fixed():
    """On each axis of the first state the farthest token lies on the positive side."""
    points = pca(random_states())[0]

    assert (points[np.abs(points).argmax(axis=0), [0, 1]] > 0).all()


def test_pca_turns_each_state_onto_the_one_before():
    """No rotation or reflection brings a state nearer to its predecessor."""
    points = pca(random_states()).astype(float)
    angles = np.linspace(0, 2 * np.pi, 721)
    for before, after in pairwise(points):
        for mirror in (1, -1):
            for angle in angles:
                turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
                moved = after * [1, mirror] @ turn
                assert np.square(after - before).sum() <= np.square(moved - before).sum() + 1e-3


def test_equal_states_stay_where_they_are():
    """Layers that change nothing move no point, not even by a change of sign."""
    states = np.repeat(random_states(states=1), 5, axis=0)

    points = pca(states)

    np.testing.assert_allclose(points, np.repeat(points[:1], 5, axis=0), atol=1e-4)


def test_a_mirrored_state_is_mirrored_back():
    """PCA knows no sign; alignment does."""
    state = random_states(states=1)[0]
    points = pca(np.stack([state, -state]))

    np.testing.assert_allclose(points[1], points[0], atol=1e-4)


def test_joint_pca_equals_the_singular_vectors_of_all_states():
    """Each state centred and scaled, then all in one plane."""
    states = random_states()
    scaled = []
    for vectors in states.astype(float):
        centred = vectors - vectors.mean(axis=0)
        scaled.append(centred / np.sqrt(np.mean([vector @ vector for vector in centred])))
    wanted = distances(plain_pca(np.concatenate(scaled)))

    found = joint_pca(states)

    assert found.shape == (STATES, TOKENS, 2)
    np.testing.assert_allclose(distances(found.reshape(-1, 2)), wanted, atol=2e-3 * wanted.max())


def test_joint_pca_does_not_see_the_size_of_a_state():
    """A layer a thousand times larger, or far from the origin, does not hide the others."""
    states = random_states()
    moved = states * np.array([1, 1000, 1, 10])[:, None, None] + 7

    np.testing.assert_allclose(joint_pca(moved), joint_pca(states), atol=2e-3)


def test_the_share_shown_is_that_of_the_two_largest_variances():
    """Out of all variance of a state; in the joint plane, the mean square of its points."""
    states = random_states()
    wanted = []
    for vectors in states.astype(float):
        values = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False) ** 2
        wanted.append(values[:2].sum() / values.sum())

    np.testing.assert_allclose(share_shown(states, pca(states)), wanted, rtol=1e-3)
    joint = joint_share_shown(joint_pca(states))
    assert ((joint > 0) & (joint <= np.array(wanted) + 1e-3)).all()


def test_the_share_of_no_variance_is_missing():
    """Nothing of nothing is not a number, and not a full picture either."""
    states = random_states()
    states[1] = 0.1

    for shares in (share_shown(states, pca(states)), joint_share_shown(joint_pca(states))):
        np.testing.assert_array_equal(np.isnan(shares), [False, True, False, False])


@pytest.mark.parametrize("project", [pca, joint_pca])
@pytest.mark.parametrize(
    "shape", [(0, 5, 4), (3, 0, 4), (3, 1, 4), (3, 2, 4), (3, 5, 1), (3, 5, 2), (2, 1, 1)]
)
def test_few_tokens_and_few_dimensions_are_laid_out(project, shape):
    """None, one or two tokens, one or two dimensions: a place for each token, no nan."""
    states = np.random.default_rng(0).normal(size=shape).astype(np.float32)

    points = project(states)

    assert points.shape == (*shape[:2], 2)
    assert np.isfinite(points).all()
    if shape[1] == 1:
        assert project is joint_pca or (points == 0).all()
    if shape[2] == 1:
        np.testing.assert_allclose(points[..., 1], 0, atol=1e-6)


@pytest.mark.parametrize("project", [pca, joint_pca])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e4])
def test_constant_states_lie_at_zero(project, value):
    """Without any variance there is no direction; the other states keep theirs."""
    states = random_states()
    states[1] = value

    points = project(states)

    assert np.isfinite(points).all()
    assert (points[1] == 0).all()
    assert np.ptp(points[[0, 2, 3]], axis=1).min() > 0.1


@pytest.mark.parametrize("project", [pca, joint_pca])
def test_pca_is_the_same_each_time(project):
    """To the bit."""
    np.testing.assert_array_equal(project(random_states()), project(random_states()))


@pytest.mark.parametrize("make", MAPS)
@pytest.mark.parametrize("joint", [True, False])
def test_maps_keep_neighbourhoods_and_are_the_same_each_time(make, joint):
    """Two far groups stay two groups, in every state, and a second map is equal to the bit."""
    states = clusters()

    points = make(states, joint=joint)

    assert points.shape == (2, 20, 2)
    assert points.dtype == np.float32
    for state in points:
        apart = distances(state)
        np.fill_diagonal(apart, np.inf)
        is_first = np.arange(20) < 10
        np.testing.assert_array_equal(is_first[apart.argmin(axis=1)], is_first)
    np.testing.assert_array_equal(make(states, joint=joint), points)


@pytest.mark.parametrize("make", MAPS)
def test_maps_of_single_states_are_turned_onto_each_other(make):
    """Equal states give equal maps, so alignment leaves them in place."""
    states = np.repeat(clusters()[:1], 2, axis=0)

    points = make(states, joint=False)

    np.testing.assert_allclose(points[1], points[0], atol=1e-3 * np.abs(points).max())


@pytest.mark.parametrize("make", MAPS)
def test_progress_is_told_in_shares_and_words(make):
    """From nothing to all, never backwards, one step for each state where each has its own map.

    Where nobody can tell, as while the libraries load, there is no share.
    """
    told = []

    make(
        random_states(states=3),
        joint=False,
        progress=lambda share, doing: told.append((share, doing)),
    )

    assert told[0][0] is None
    shares = [share for share, _ in told if share is not None]
    assert shares == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert [doing for _, doing in told if doing.startswith("Placing")] == [
        "Placing state 1 of 3",
        "Placing state 2 of 3",
        "Placing state 3 of 3",
    ]


@pytest.mark.parametrize("make", MAPS)
@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("tokens", [5, 6, 17])
def test_maps_of_few_tokens_are_made(make, joint, tokens):
    """Perplexity and neighbours shrink with the number of tokens."""
    points = make(random_states(states=2, tokens=tokens), joint=joint)

    assert points.shape == (2, tokens, 2)
    assert np.isfinite(points).all()
    assert np.ptp(points, axis=1).min() > 0


@pytest.mark.parametrize("make", MAPS)
@pytest.mark.parametrize("tokens", [0, 1, 4])
def test_maps_of_too_few_tokens_are_refused(make, tokens):
    """The message says how many came, how many are wanted and what to do."""
    with pytest.raises(
        ProjectionError, match=f"{tokens} tokens are too few .* at least 5 are wanted. Choose PCA"
    ):
        make(random_states(states=2, tokens=tokens))


@pytest.mark.parametrize("make", MAPS)
@pytest.mark.parametrize("joint", [True, False])
def test_maps_of_constant_states_lie_at_zero(make, joint):
    """Nothing tells the tokens apart, so they share one place, and it is no nan."""
    states = np.full((2, 7, WIDTH), 0.1, np.float32)

    assert (make(states, joint=joint) == 0).all()


@pytest.mark.parametrize("make", MAPS)
def test_one_constant_state_leaves_the_map_finite(make):
    """As with embeddings of patches that are all alike."""
    states = random_states(states=3, tokens=8)
    states[0] = 0.1

    assert np.isfinite(make(states, joint=False)).all()
    assert np.isfinite(make(states, joint=True)).all()


def blas_threads():
    """How many threads each linear algebra library of this process may take."""
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def replaced(monkeypatch, fit):
    """Both libraries' estimators do nothing but call this function with the vectors."""

    class Estimator:
        def __init__(self, **_options):
            """Whatever the map is asked for with."""

        def fit_transform(self, vectors):
            return fit(vectors)

    monkeypatch.setattr("umap.UMAP", Estimator)
    monkeypatch.setattr("sklearn.manifold.TSNE", Estimator)


@pytest.mark.parametrize("make", MAPS)
def test_maps_are_made_on_one_thread(make, monkeypatch):
    """Sums in another order would give another map; afterwards all threads are back."""
    found = []

    def fit(vectors):
        found.append(blas_threads())
        return vectors[:, :2]

    replaced(monkeypatch, fit)
    with threadpool_limits(2):
        make(random_states())
        assert blas_threads() == {2}

    assert found == [{1}]


@pytest.mark.parametrize(("first", "second"), [(tsne, tsne), (umap, tsne), (tsne, umap)])
def test_maps_that_are_asked_for_at_once_are_made_in_turn(first, second, monkeypatch):
    """The second visitor is told so, and no limit on threads outlives both maps."""
    is_fitting, told, waits = Event(), [], Event()

    def fit(vectors):
        is_fitting.set()
        waits.wait(60)
        return vectors[:, :2]

    def hear(_share, doing):
        told.append(doing)
        if "next" in doing or doing.startswith("Placing"):
            waits.set()

    replaced(monkeypatch, fit)
    with threadpool_limits(2), ThreadPoolExecutor(2) as visitors:
        earlier = visitors.submit(first, random_states())
        is_fitting.wait(60)
        later = visitors.submit(second, random_states(), progress=hear)
        earlier.result()
        later.result()
        assert blas_threads() == {2}

    assert told[1] == "Another map is being made; yours is next"


@pytest.mark.parametrize("make", MAPS)
def test_maps_without_states_are_empty(make):
    """A stream whose states were not kept."""
    assert make(np.zeros((0, 7, WIDTH), np.float32)).shape == (0, 7, 2)


def test_slow_libraries_are_imported_when_asked_for():
    """Importing the module for PCA loads neither UMAP nor scikit-learn nor torch."""
    slow = "{'umap', 'numba', 'sklearn', 'scipy', 'torch'}"
    code = f"import sys, vl_core.projection; print(sorted({slow} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("project", [pca, joint_pca, umap, tsne])
def test_states_that_are_unpacked_one_by_one_are_placed_as_the_whole_is(project):
    """Also where padding and others are left out."""
    tokens = TokenTable.of(["a"] * TOKENS, ["text"] * TOKENS)
    stream = Stream.of("encoder", tokens, random_states())
    positions = np.array([0, 2, 3, 5, 6, 8])

    found = project(UnpackedStates(stream, positions))

    np.testing.assert_array_equal(found, project(stream.hidden_states[:, positions]))


@pytest.mark.parametrize("project", [pca, joint_pca])
def test_pca_forms_no_table_of_token_by_token_and_no_copy_of_all_states(project):
    """12 states of 1500 tokens: either would take more than 9 MB, the states 18 MB."""
    states = random_states(12, 1500, 256).astype(np.float32)
    tracemalloc.start()
    try:
        project(states)
        assert tracemalloc.get_traced_memory()[1] < 9e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("joint", [True, False])
def test_a_map_of_very_many_points_is_fitted_to_a_sample(monkeypatch, joint):
    """Two far groups stay two groups, also for the tokens that were not fitted."""
    monkeypatch.setattr(neighbour_maps, "FITTED", 40)
    monkeypatch.setattr(neighbour_maps, "FITTED_ALONE", 20)
    states = clusters(tokens=60)

    points = tsne(states, joint=joint)

    is_first = np.arange(60) < 30
    for state in points:
        apart = distances(state)
        np.fill_diagonal(apart, np.inf)
        np.testing.assert_array_equal(is_first[apart.argmin(axis=1)], is_first)

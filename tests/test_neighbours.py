"""Neighbours and the modality gap, against loops that follow the definitions word by word."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vl_core import neighbours
from vl_core.neighbours import modality_gap

STATES, TOKENS, WIDTH = 3, 11, 6
IS_TEXT = np.arange(TOKENS) < 4
IS_IMAGE = (np.arange(TOKENS) >= 4) & (np.arange(TOKENS) < 10)  # the last token is special


def random_states(seed=0, offset=5.0, gap=0.0):
    """Hidden states with a large common part, and words moved by `gap`."""
    states = np.random.default_rng(seed).normal(size=(STATES, TOKENS, WIDTH))
    states[:, IS_TEXT, 0] += gap
    return (states + offset).astype(np.float32)


def nearest(states, asked, candidates, count):
    """Of one set of candidates."""
    [found] = neighbours.nearest(states, asked, [candidates], count)
    return found


def plain_cosine(vectors, one, other):
    """The cosine of two tokens as seen from the mean of all."""
    mean = [sum(vectors[:, axis]) / len(vectors) for axis in range(vectors.shape[1])]
    a, b = vectors[one] - mean, vectors[other] - mean
    return sum(a * b) / (sum(a * a) ** 0.5 * sum(b * b) ** 0.5)


def plain_nearest(vectors, token, candidates):
    """All candidates but the token itself, the nearest first."""
    others = [other for other in range(len(vectors)) if candidates[other] and other != token]
    return sorted(others, key=lambda other: -plain_cosine(vectors, token, other))


def plain_silhouette(vectors, is_text):
    """Rousseeuw 1987, token by token, with 1 - cosine as the distance."""
    scores = []
    for i in range(len(vectors)):
        own, other = (
            [
                1 - plain_cosine(vectors, i, j)
                for j in range(len(vectors))
                if j != i and (is_text[j] == is_text[i]) is same
            ]
            for same in (np.True_, np.False_)
        )
        if not own:
            scores.append(0)
            continue
        a, b = np.mean(own), np.mean(other)
        scores.append((b - a) / max(a, b))
    return np.mean(scores)


def plain_mixing(vectors, is_text):
    """How often the nearest neighbour is of the other kind, over how often a random one is."""
    everybody = np.ones(len(vectors), bool)
    crossings, chances = [], []
    for i in range(len(vectors)):
        crossings.append(is_text[plain_nearest(vectors, i, everybody)[0]] != is_text[i])
        others = [j for j in range(len(vectors)) if j != i]
        chances.append(np.mean([is_text[j] != is_text[i] for j in others]))
    return np.mean(crossings) / np.mean(chances)


def plain_distance(vectors, is_text):
    """Between the centroids, over the root mean square distance from the own one."""
    words, patches = vectors[is_text], vectors[~is_text]
    squares = [sum((v - words.mean(axis=0)) ** 2) for v in words]
    squares += [sum((v - patches.mean(axis=0)) ** 2) for v in patches]
    gap = sum((words.mean(axis=0) - patches.mean(axis=0)) ** 2) ** 0.5
    return gap / np.mean(squares) ** 0.5


@pytest.mark.parametrize("candidates", [IS_TEXT, IS_IMAGE, np.ones(TOKENS, bool)])
def test_nearest_equals_a_loop(candidates):
    """Order and cosines, within a modality, across and over all."""
    states = random_states()
    asked = np.array([0, 7, 3, 10])

    found = nearest(states, asked, candidates, count=3)

    assert found.tokens.shape == found.cosines.shape == (STATES, 4, 3)
    for state, vectors in enumerate(states.astype(float)):
        for i, token in enumerate(asked):
            wanted = plain_nearest(vectors, token, candidates)[:3]
            np.testing.assert_array_equal(found.tokens[state, i], wanted)
            cosines = [plain_cosine(vectors, token, other) for other in wanted]
            np.testing.assert_allclose(found.cosines[state, i], cosines, atol=1e-5)


def test_states_are_centred_first():
    """A part that all tokens share, however large, changes nobody's neighbours."""
    near = nearest(random_states(offset=0.0), np.arange(TOKENS), IS_IMAGE, 2)
    far = nearest(random_states(offset=100.0), np.arange(TOKENS), IS_IMAGE, 2)

    np.testing.assert_array_equal(near.tokens, far.tokens)
    np.testing.assert_allclose(near.cosines, far.cosines, atol=1e-3)


def test_too_few_candidates_leave_places_empty():
    """Four words have three neighbours each among words; the rest is -1 without a cosine."""
    found = nearest(random_states(), np.flatnonzero(IS_TEXT), IS_TEXT, count=20)

    assert found.tokens.shape == (STATES, 4, 20)
    assert (found.tokens[..., :3] >= 0).all()
    assert (found.tokens[..., 3:] == -1).all()
    assert np.isnan(found.cosines[..., 3:]).all()
    assert not np.isnan(found.cosines[..., :3]).any()


def test_nobody_is_a_neighbour_when_nobody_may_be():
    """No candidate gives no neighbour."""
    found = nearest(random_states(), np.array([1, 5]), np.zeros(TOKENS, bool), count=2)

    assert (found.tokens == -1).all()


def test_equal_tokens_are_neighbours_with_cosine_one():
    """Twins find each other first, and rounding does not lift the cosine above one."""
    states = random_states()
    states[:, 8] = states[:, 2]

    found = nearest(states, np.array([2]), np.ones(TOKENS, bool), count=1)

    np.testing.assert_array_equal(found.tokens[:, 0, 0], 8)
    np.testing.assert_allclose(found.cosines, 1, rtol=1e-6)
    assert (found.cosines <= 1).all()


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_tokens_in_one_place_have_cosine_zero_in_the_order_they_come(value):
    """Constant states have no directions, so nothing is near; no nan, and always the same."""
    states = np.full((1, 50, WIDTH), value, np.float32)

    found = nearest(states, np.array([0, 2]), np.ones(50, bool), count=49)

    np.testing.assert_array_equal(found.tokens[0, 0], np.arange(1, 50))
    np.testing.assert_array_equal(found.tokens[0, 1], [0, 1, *range(3, 50)])
    assert (found.cosines == 0).all()


@settings(max_examples=20)  # the loops are slow
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 6.0]))
def test_the_gap_equals_loops(seed, gap):
    """All three measures follow their definitions, on words and patches alone."""
    states = random_states(seed, gap=gap)

    found = modality_gap(states, IS_TEXT, IS_IMAGE)

    chosen = IS_TEXT | IS_IMAGE
    for state, vectors in enumerate(states.astype(float)[:, chosen]):
        is_text = IS_TEXT[chosen]
        assert found.silhouette[state] == pytest.approx(
            plain_silhouette(vectors, is_text), abs=1e-5
        )
        assert found.mixing[state] == pytest.approx(plain_mixing(vectors, is_text), abs=1e-9)
        assert found.distance[state] == pytest.approx(plain_distance(vectors, is_text), rel=1e-5)


def test_the_silhouette_is_that_of_scikit_learn():
    """On centred states with the cosine metric."""
    from sklearn.metrics import silhouette_score  # noqa: PLC0415 slow to import

    states = random_states(gap=2.0)
    vectors = states[1][IS_TEXT | IS_IMAGE].astype(float)
    centred = vectors - vectors.mean(axis=0)

    found = modality_gap(states, IS_TEXT, IS_IMAGE).silhouette[1]

    labels = IS_TEXT[IS_TEXT | IS_IMAGE]
    assert found == pytest.approx(silhouette_score(centred, labels, metric="cosine"), abs=1e-5)


def test_modalities_that_part_show_it_in_every_measure():
    """The silhouette and the distance rise, the mixing falls to nothing."""
    together = modality_gap(random_states(), IS_TEXT, IS_IMAGE)
    apart = modality_gap(random_states(gap=50.0), IS_TEXT, IS_IMAGE)

    assert (apart.silhouette > 0.9).all()
    assert (together.silhouette < 0.5).all()
    assert (apart.mixing == 0).all()
    assert (together.mixing > 0).all()
    assert (apart.distance > 10 * together.distance).all()


def test_the_gap_of_one_modality_is_missing():
    """Text alone, or patches alone, have no gap."""
    nobody = np.zeros(TOKENS, bool)
    for is_text, is_image in ((IS_TEXT, nobody), (nobody, IS_IMAGE), (nobody, nobody)):
        found = modality_gap(random_states(), is_text, is_image)
        for curve in (found.silhouette, found.mixing, found.distance):
            assert curve.shape == (STATES,)
            assert np.isnan(curve).all()


def test_the_gap_between_tokens_in_one_place_is_missing():
    """A constant state has neither neighbours nor a spread; the other states keep their numbers."""
    states = random_states()
    states[1] = 0.1

    found = modality_gap(states, IS_TEXT, IS_IMAGE)

    for curve in (found.silhouette, found.mixing, found.distance):
        np.testing.assert_array_equal(np.isnan(curve), [False, True, False])


def test_one_word_alone_counts_as_zero_in_the_silhouette():
    """As Rousseeuw defines it; the others keep their own."""
    is_text = np.arange(TOKENS) == 2
    states = random_states(gap=3.0)

    found = modality_gap(states, is_text, IS_IMAGE)

    vectors = states[0][is_text | IS_IMAGE].astype(float)
    wanted = plain_silhouette(vectors, is_text[is_text | IS_IMAGE])
    assert found.silhouette[0] == pytest.approx(wanted, abs=1e-5)


def test_two_places_have_no_spread_to_measure_by():
    """All words in one place, all patches in another: parted for sure, the distance missing."""
    states = np.where(IS_TEXT[None, :, None], 1.0, 2.0) * np.ones((STATES, TOKENS, WIDTH))
    states[:, :, 1] = np.where(IS_TEXT, 5.0, 3.0)

    found = modality_gap(states, IS_TEXT, IS_IMAGE)

    np.testing.assert_allclose(found.silhouette, 1)
    assert (found.mixing == 0).all()
    assert np.isnan(found.distance).all()


@pytest.mark.parametrize("rows", [1, 4])
def test_the_gap_is_the_same_however_many_rows_are_formed(rows, monkeypatch):
    """Parts that do not divide the tokens give what all of them together give."""
    states = random_states(gap=1.0)
    wanted = modality_gap(states, IS_TEXT, IS_IMAGE)
    monkeypatch.setattr(neighbours, "ROWS", rows)

    found = modality_gap(states, IS_TEXT, IS_IMAGE)

    np.testing.assert_allclose(found.silhouette, wanted.silhouette, atol=1e-6)
    np.testing.assert_array_equal(found.mixing, wanted.mixing)
    np.testing.assert_array_equal(found.distance, wanted.distance)


def test_the_gap_forms_no_table_of_all_pairs():
    """For 3000 tokens one table of distances in float64 alone would take 72 MB."""
    states = np.random.default_rng(0).normal(size=(1, 3000, 4)).astype(np.float32)
    is_text = np.arange(3000) < 40
    tracemalloc.start()
    try:
        modality_gap(states, is_text, ~is_text)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


def test_each_set_of_candidates_has_its_own_nearest():
    """Words and patches at once are what each of them is alone."""
    states = random_states()
    asked = np.array([2, 9])

    both = neighbours.nearest(states, asked, [IS_TEXT, IS_IMAGE], 3)

    for found, candidates in zip(both, (IS_TEXT, IS_IMAGE), strict=True):
        alone = nearest(states, asked, candidates, 3)
        np.testing.assert_array_equal(found.tokens, alone.tokens)
        np.testing.assert_array_equal(found.cosines, alone.cosines)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_nearest_are_the_same_however_many_rows_are_formed(rows, monkeypatch):
    """Blocks that do not divide the asked tokens give what all of them together give."""
    states = random_states()
    wanted = nearest(states, np.arange(TOKENS), IS_IMAGE, 4)
    monkeypatch.setattr(neighbours, "ROWS", rows)

    found = nearest(states, np.arange(TOKENS), IS_IMAGE, 4)

    np.testing.assert_array_equal(found.tokens, wanted.tokens)
    np.testing.assert_allclose(found.cosines, wanted.cosines, atol=1e-6)


def test_the_mixing_of_many_tokens_is_that_of_a_sample(monkeypatch):
    """Every other token is asked, and its neighbour sought among all."""
    monkeypatch.setattr(neighbours, "MIXING_TOKENS", 6)
    states = random_states(gap=1.0)
    is_text = np.arange(TOKENS) < 4

    found = modality_gap(states, is_text, ~is_text).mixing

    everybody = np.ones(TOKENS, bool)
    for state, vectors in enumerate(states.astype(float)):
        asked = range(0, TOKENS, 2)
        crossed = [is_text[plain_nearest(vectors, i, everybody)[0]] != is_text[i] for i in asked]
        chances = [
            np.mean([is_text[j] != is_text[i] for j in range(TOKENS) if j != i]) for i in asked
        ]
        assert found[state] == pytest.approx(np.mean(crossed) / np.mean(chances))


def test_many_tokens_near_one_take_no_table_of_all_pairs():
    """10,000 tokens: all pairs would take 400 MB in single precision."""
    states = np.random.default_rng(0).normal(size=(2, 10_000, 16)).astype(np.float32)
    tracemalloc.start()
    try:
        nearest(states, np.array([3]), np.arange(10_000) % 2 == 0, 5)
        is_text = np.arange(10_000) < 60
        modality_gap(states, is_text, ~is_text)
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()

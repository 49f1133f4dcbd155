"""Maps against boxes: plain loops, known cases, and the head statistics of the same name."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import PICTURE_SIZE, TEXT, random_stack, random_tokens
from vl_core import head_stats
from vl_core.attribution import localization
from vl_core.example import Region

TOKENS = random_tokens(4, 3, 5)
PATCHES = TOKENS.boxes[TOKENS.is_image]
WIDTH, HEIGHT = PICTURE_SIZE
# One that covers patches, one that is smaller than any, one that overlaps the first.
BOXES = np.array([[11.0, 3.0, 30.0, 20.0], [50.0, 25.0, 51.0, 26.0], [25.0, 10.0, 40.0, 21.0]])
MAPS = st.lists(st.sampled_from([0.0, 0.25, 0.5, 3.0]), min_size=15, max_size=15).map(np.array)


def inside(patch, boxes):
    """The share of a hundred times a hundred points of the patch that lie in any box."""
    xs = patch[0] + (np.arange(100) + 0.5) / 100 * (patch[2] - patch[0])
    ys = patch[1] + (np.arange(100) + 0.5) / 100 * (patch[3] - patch[1])
    x, y = np.meshgrid(xs, ys)
    points = np.zeros(x.shape, bool)
    for left, top, right, bottom in boxes:
        points |= (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
    return points.mean()


@given(MAPS)
def test_energy_is_the_share_of_the_map_in_the_boxes(values):
    """As if each patch's part were spread evenly over its points."""
    found = localization.energy(values, PATCHES, BOXES)

    if not values.any():
        assert np.isnan(found)
        return
    parts = [value * inside(patch, BOXES) for value, patch in zip(values, PATCHES, strict=True)]
    assert found == pytest.approx(sum(parts) / sum(values), abs=0.01)


@given(MAPS)
def test_pointing_and_auc_count_as_a_loop_does(values):
    """Ties share the point, and count half in the area."""
    hit = localization.hits(PATCHES, BOXES)
    strongest = [place for place in range(15) if values[place] == max(values)]
    pairs = [
        (values[one] > values[other]) + (values[one] == values[other]) / 2
        for one, other in itertools.product(range(15), repeat=2)
        if hit[one] and not hit[other]
    ]

    assert 0 < hit.sum() < 15
    assert localization.pointing(values, PATCHES, BOXES) == pytest.approx(
        sum(hit[place] for place in strongest) / len(strongest)
    )
    assert localization.auc(values, PATCHES, BOXES) == pytest.approx(sum(pairs) / len(pairs))


def test_a_map_of_the_boxes_is_perfect_and_its_opposite_is_not():
    """All on the hits: 1 by pointing and area; all elsewhere: 0."""
    hit = localization.hits(PATCHES, BOXES)
    good, bad = hit.astype(float), (~hit).astype(float)

    assert localization.pointing(good, PATCHES, BOXES) == 1
    assert localization.auc(good, PATCHES, BOXES) == 1
    assert localization.pointing(bad, PATCHES, BOXES) == 0
    assert localization.auc(bad, PATCHES, BOXES) == 0
    whole = np.array([[12.0, 0.0, 24.0, HEIGHT / 3]])  # one patch and nothing else
    assert localization.energy(np.eye(15)[1], PATCHES, whole) == pytest.approx(1)


def test_the_uniform_map_is_chance():
    """Energy is the boxes' part of the picture, the area one half."""
    even = localization.uniform(PATCHES)
    area = 19 * 17 + 1 + 15 * 11 - 5 * 10

    assert even.sum() == pytest.approx(1)
    assert localization.energy(even, PATCHES, BOXES) == pytest.approx(area / (WIDTH * HEIGHT))
    assert localization.auc(even, PATCHES, BOXES) == 0.5
    hit = localization.hits(PATCHES, BOXES)
    assert localization.pointing(even, PATCHES, BOXES) == pytest.approx(hit.mean())


def test_the_center_prior_falls_off_alike_in_both_directions():
    """Sums to 1, symmetrical; a quarter of a side away it has fallen to exp(-1/2)."""
    edges = np.arange(8)
    patches = np.array([[10 * x, 4 * y, 10 * x + 10, 4 * y + 4] for y in edges for x in edges])
    prior = localization.center_prior(patches.astype(float), (80, 32)).reshape(8, 8)

    assert prior.sum() == pytest.approx(1)
    np.testing.assert_allclose(prior, prior.T)
    np.testing.assert_allclose(prior, prior[::-1, ::-1])
    three = np.array([[35, 14, 45, 18], [55, 14, 65, 18], [35, 6, 45, 10]], float)
    middle, right, up = localization.center_prior(three, (80, 32))
    assert right / middle == up / middle == pytest.approx(np.exp(-0.5))


def test_patches_without_a_place_take_no_part():
    """Whatever the map says of them."""
    patches = np.concatenate([PATCHES, np.full((2, 4), np.nan)])
    values = np.concatenate([np.arange(15.0), [99.0, 99.0]])

    for measure in (localization.energy, localization.pointing, localization.auc):
        wanted = measure(np.arange(15.0), PATCHES, BOXES)
        assert measure(values, patches, BOXES) == pytest.approx(wanted)
    for made in (localization.uniform(patches), localization.center_prior(patches, PICTURE_SIZE)):
        assert made.sum() == pytest.approx(1)
        assert not made[-2:].any()


def test_what_has_no_meaning_is_missing():
    """No boxes, no patches, nothing but hits, an empty map."""
    values, none = np.arange(15.0), np.zeros((0, 4))
    everywhere = np.array([[0.0, 0.0, WIDTH, HEIGHT]])

    for measure in (localization.energy, localization.pointing, localization.auc):
        assert np.isnan(measure(values, PATCHES, none))
        assert np.isnan(measure(np.zeros(0), none, BOXES))
    assert np.isnan(localization.auc(values, PATCHES, everywhere))
    assert localization.pointing(values, PATCHES, everywhere) == 1
    assert localization.energy(values, PATCHES, everywhere) == pytest.approx(1)
    assert np.isnan(localization.energy(np.zeros(15), PATCHES, BOXES))


@pytest.mark.parametrize("layer", [0, 2])
def test_head_statistics_are_the_same_measures(layer):
    """Of one word and of the class token, head by head."""
    star = TEXT.index("star")
    regions = tuple(
        Region("star", tuple(box), (star, star + 4), is_asked=i > 0)
        for i, box in enumerate(BOXES.tolist())
    )
    stack = random_stack(7, queries=TOKENS, regions=regions)
    word = TOKENS.texts.index("star")
    measures = {
        "energy": (head_stats.GROUNDING, head_stats.CLASS_GROUNDING),
        "pointing": (head_stats.POINTING, head_stats.CLASS_POINTING),
        "auc": (head_stats.BOX_AUC, head_stats.CLASS_AUC),
    }
    for name, statistics in measures.items():
        for statistic, query, boxes in zip(statistics, (word, 0), (BOXES, BOXES[1:]), strict=True):
            for head in range(stack.n_heads):
                values = stack.weights[layer, head, query][TOKENS.is_image].astype(float)
                wanted = getattr(localization, name)(values, PATCHES, boxes)
                assert statistic.of(stack)[layer, head] == pytest.approx(wanted, abs=1e-5)

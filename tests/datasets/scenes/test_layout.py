"""Scenes: what can be made again from a seed, and what every scene keeps to."""

import hashlib
from collections import Counter
from math import hypot

import numpy as np
import pytest

from vl_core.datasets.scenes import (
    CANVAS,
    CANVAS_SIZES,
    COLORS,
    SHAPES,
    SIZES,
    TRAINING_SEEDS,
    UNSEEN_SEEDS,
    scene,
)

SEEDS = range(300)


def test_a_seed_gives_the_same_scene_each_time_and_another_seed_another():
    """A scene is its seed: made again it is equal, and no two seeds share one."""
    scenes = [scene(seed) for seed in SEEDS]

    assert scenes == [scene(seed) for seed in SEEDS]
    assert len(set(scenes)) == len(scenes)


def test_scenes_are_those_that_the_embedded_model_was_trained_on():
    """Seeds keep their meaning over releases: the model card's figures depend on it."""
    digest = hashlib.sha256()
    for seed in SEEDS:
        one = scene(seed)
        digest.update(f"{one.width} {one.height} {one.background}".encode())
        for item in one.objects:
            digest.update(f"{item.size} {item.color} {item.shape}".encode())
            digest.update(f"{item.x:.3f} {item.y:.3f} {item.radius:.3f} {item.angle:.3f}".encode())

    assert digest.hexdigest()[:16] == "a84b61d93a72cf96"


def test_training_and_unseen_seeds_have_nothing_in_common():
    """What is held out stays held out."""
    assert TRAINING_SEEDS.stop <= UNSEEN_SEEDS.start
    assert len(TRAINING_SEEDS) > 0
    assert len(UNSEEN_SEEDS) > 0


@pytest.mark.parametrize("size", CANVAS_SIZES)
def test_a_canvas_can_be_chosen(size):
    """Every canvas size holds scenes, its longer side is CANVAS, its sides are whole cells."""
    width, height = size
    one = scene(7, size)

    assert (one.width, one.height) == size
    assert max(size) == CANVAS
    assert width % 16 == height % 16 == 0


def test_canvases_are_square_in_nearly_half_the_scenes_and_of_every_size_in_the_rest():
    """Models see many aspects, squares most."""
    sizes = Counter((one.width, one.height) for one in map(scene, range(1500)))

    assert set(sizes) == set(CANVAS_SIZES)
    assert 0.4 < sizes[128, 128] / sizes.total() < 0.5


def test_a_canvas_too_small_for_objects_is_refused_with_its_size():
    """A canvas narrower than an object cannot be filled, and says so."""
    with pytest.raises(ValueError, match="128 x 16"):
        scene(1, (128, 16))


@pytest.mark.parametrize("size", CANVAS_SIZES)
def test_objects_stay_on_the_canvas_and_apart(size):
    """Outlines keep their distance from the edges, and no pixel belongs to two objects."""
    for seed in range(40):
        one = scene(seed, size)
        boxes = one.boxes()

        assert 2 <= len(one.objects) <= 6
        assert boxes.min() >= 2.5
        assert (boxes[:, 2:] <= np.array(size) - 2.5).all()
        assert one.masks(256).sum(axis=0).max() <= 1


def test_large_objects_are_larger_than_small_ones_beyond_doubt():
    """No small object comes near a large one in radius."""
    radii = {size: [] for size in SIZES}
    for seed in SEEDS:
        for item in scene(seed).objects:
            radii[item.size].append(item.radius)

    assert max(radii["small"]) * 1.3 < min(radii["large"])


def test_colors_and_shapes_are_even_and_shared_within_scenes():
    """Overall no attribute is more frequent, yet most scenes repeat one."""
    scenes = [scene(seed) for seed in range(4000)]
    colors = Counter(item.color for one in scenes for item in one.objects)
    shapes = Counter(item.shape for one in scenes for item in one.objects)
    repeats = [len({item.color for item in one.objects}) < len(one.objects) for one in scenes]

    assert set(colors) == set(COLORS)
    assert set(shapes) == set(SHAPES)
    for counted in (colors, shapes):
        assert max(counted.values()) < 1.15 * min(counted.values())
    assert np.mean(repeats) > 0.5


def test_a_box_is_the_bounds_of_the_outline():
    """The box touches the outline on all four sides, and reaches about a radius from the center."""
    for seed in SEEDS:
        for item in scene(seed).objects:
            left, top, right, bottom = item.box
            outline = item.outline()
            reach = max(hypot(x - item.x, y - item.y) for x, y in outline)

            assert [left, top] == pytest.approx(outline.min(axis=0))
            assert [right, bottom] == pytest.approx(outline.max(axis=0))
            assert 0.8 * item.radius < reach < 1.35 * item.radius

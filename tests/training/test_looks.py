"""Other looks of the same picture."""

import random

import numpy as np
import pytest
from PIL import Image

from training import looks
from vl_core.datasets.scenes import scene

PICTURE = scene(3, (128, 80)).render()


def mean(picture):
    """Mean brightness."""
    return np.asarray(picture, float).mean()


def test_brightness_multiplies_all_channels():
    """Half as bright is half of every value, rounded."""
    dark = np.asarray(looks.brightness(0.5)(PICTURE), int)

    assert np.abs(dark - np.asarray(PICTURE, int) / 2).max() <= 1


def test_contrast_keeps_the_mean_and_shrinks_the_spread():
    """The spread goes down by the factor; the mean (Pillow takes the luma's) nearly stays."""
    flat = looks.contrast(0.5)(PICTURE)

    assert mean(flat) == pytest.approx(mean(PICTURE), abs=4)
    assert np.asarray(flat, float).std() == pytest.approx(
        np.asarray(PICTURE, float).std() / 2, rel=0.15
    )


def test_a_low_quality_changes_more():
    """JPEG at 10 is further from the picture than JPEG at 90; both keep its size."""
    far, near = (looks.jpeg(quality)(PICTURE) for quality in (10, 90))
    original = np.asarray(PICTURE, float)

    assert far.size == near.size == (128, 80)
    assert (
        np.abs(np.asarray(far) - original).mean() > 2 * np.abs(np.asarray(near) - original).mean()
    )


def test_grain_is_the_same_for_the_same_seed():
    """Noise of the given size that can be drawn again."""
    gray = Image.new("RGB", (96, 64), (128, 128, 128))
    one, again, other = (np.asarray(looks.grain(6, seed)(gray), float) for seed in (1, 1, 2))

    assert (one == again).all()
    assert (one != other).any()
    assert one.std() == pytest.approx(6, rel=0.1)


def test_looks_drawn_at_random_keep_the_size_and_some_pictures_as_they_are():
    """About one picture in five is untouched; the others differ widely in brightness."""
    rng = random.Random(0)
    seen = [looks.any_look(rng)(PICTURE) for _ in range(120)]

    assert {one.size for one in seen} == {PICTURE.size}
    untouched = sum(one is PICTURE for one in seen)
    assert 10 <= untouched <= 40
    assert min(map(mean, seen)) < 0.65 * mean(PICTURE)
    assert max(map(mean, seen)) > 1.05 * mean(PICTURE)

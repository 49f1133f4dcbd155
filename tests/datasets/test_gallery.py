"""The gallery: held-out scenes with questions that they really answer."""

from math import dist

import pytest

from tests.datasets.scenes import oracle
from vl_core.datasets.gallery import GALLERY
from vl_core.datasets.scenes import UNSEEN_SEEDS


@pytest.mark.parametrize("entry", GALLERY, ids=lambda entry: entry.name)
def test_an_entry_is_an_unseen_scene_with_a_true_answer(entry):
    """No model was trained on it, and a slow reader of the question agrees with the answer."""
    asked = entry.question

    assert entry.scene_seed in UNSEEN_SEEDS
    assert oracle.answer(entry.scene, asked.text) == asked.answer
    assert entry.example(256).text == asked.text
    assert max(entry.example(256).size) == 256


def test_the_gallery_is_varied():
    """Eight entries of different names, titles and types; at least three are not square."""
    assert len(GALLERY) == 8
    for field in ("name", "title", "question_type"):
        assert len({getattr(entry, field) for entry in GALLERY}) == 8
    assert sum(entry.size[0] != entry.size[1] for entry in GALLERY) >= 3


def test_the_worked_example_asks_for_the_color_of_the_only_star():
    """The app opens on a wide picture with a star beside a moon, and its title says so."""
    entry = GALLERY[0]
    star, moon = (
        next(one for one in entry.scene.objects if one.shape == shape) for shape in ("star", "moon")
    )

    assert entry.scene.width > entry.scene.height
    assert entry.question.text == "what color is the star?"
    assert entry.question.answer == star.color
    assert entry.title == "The star by the moon"
    assert dist((star.x, star.y), (moon.x, moon.y)) - star.radius - moon.radius < 10

"""The pairs that an experiment keeps out of training."""

from itertools import islice

from training.held_out import PAIRS, names, shows
from training.pictures import training_scenes
from training.recipe import Recipe
from vl_core.datasets.scenes import COLORS, SHAPES, scene


def test_each_color_and_each_shape_is_in_one_pair():
    """So a model without the pairs has seen every word and every look."""
    assert sorted(color for color, _ in PAIRS) == sorted(COLORS)
    assert sorted(shape for _, shape in PAIRS) == sorted(SHAPES)


def test_texts_that_name_a_pair_are_told_from_others():
    """In the singular and in the plural; a color and a shape of two objects are no pair."""
    color, shape = PAIRS[0]
    other = next(name for name in SHAPES if name != shape)

    assert names(f"is there a {color} {shape}?", PAIRS)
    assert names(f"how many {color} {shape}s are there?", PAIRS)
    assert not names(f"is the {color} {other} left of the {shape}?", PAIRS)


def test_scenes_of_the_experiment_show_no_pair():
    """Its scenes are the training scenes without those that show one, in their order."""
    recipe = Recipe(n_scenes=40, without_pairs=PAIRS)
    drawn = [one.scene for one in training_scenes(recipe)]
    expected = (scene(seed) for seed in range(10_000))
    plain = [one for one in islice(expected, 200) if not shows(one, PAIRS)][:40]

    assert drawn == plain
    assert any(shows(one.scene, PAIRS) for one in training_scenes(Recipe(n_scenes=40)))

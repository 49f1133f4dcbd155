"""Combinations of color and shape that one experiment keeps out of training.

Each color and each shape stands in one of them, so that a model without them has seen all the
words and all the looks, only never together.
"""

from vl_core.datasets.scenes import COLORS, SHAPES, Scene

Pair = tuple[str, str]

PAIRS: tuple[Pair, ...] = tuple(
    (COLORS[(3 * number + 1) % len(COLORS)], shape) for number, shape in enumerate(SHAPES)
)


def shows(scene: Scene, pairs: tuple[Pair, ...]) -> bool:
    """Whether an object of the scene is of one of these combinations."""
    return any((one.color, one.shape) in pairs for one in scene.objects)


def names(text: str, pairs: tuple[Pair, ...]) -> bool:
    """Whether the text speaks of one of these combinations, of one object or of several."""
    return any(f"{color} {shape}" in text for color, shape in pairs)

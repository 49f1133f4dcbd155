"""Questions about one object: its color, shape and size, its side, and what lies outermost."""

import random

from vl_core.datasets.scenes.layout import Scene
from vl_core.datasets.scenes.referring import margin, unique_description
from vl_core.datasets.scenes.texts import Question, composed
from vl_core.datasets.scenes.words import SIZES

SIDE_MARGIN = 8.0  # scene pixels, see `margin`
EXTREME_MARGIN = 5.0

_ATTRIBUTE_TEMPLATES = {
    "color": (
        "what color is the {}?",
        "what is the color of the {}?",
        "which color does the {} have?",
    ),
    "shape": (
        "what shape is the {}?",
        "what is the shape of the {}?",
        "which shape does the {} have?",
    ),
    "size": (
        "how big is the {}?",
        "what size is the {}?",
        "what is the size of the {}?",
    ),
}


def attribute_template(rng: random.Random, attribute: str, subject: str) -> str:
    """A way to ask for the attribute of a subject, which may have names in braces."""
    return rng.choice(_ATTRIBUTE_TEMPLATES[attribute]).replace("{}", subject)


def color(scene: Scene, rng: random.Random) -> Question | None:
    """As in "what color is the star?"."""
    return _attribute(scene, rng, "color", rng.randrange(len(scene.objects)))


def shape(scene: Scene, rng: random.Random) -> Question | None:
    """As in "what shape is the red object?"."""
    return _attribute(scene, rng, "shape", rng.randrange(len(scene.objects)))


def size(scene: Scene, rng: random.Random) -> Question | None:
    """As in "how big is the star?"."""
    wanted = rng.choice(SIZES)
    candidates = [index for index, one in enumerate(scene.objects) if one.size == wanted]
    return _attribute(scene, rng, "size", rng.choice(candidates)) if candidates else None


def _attribute(scene: Scene, rng: random.Random, attribute: str, index: int) -> Question | None:
    description = unique_description(rng, scene, index, hidden=attribute)
    if not description:
        return None
    template = attribute_template(rng, attribute, "{subject}")
    text, phrases = composed(template, subject=(description.noun, (index,)))
    answer = getattr(scene.objects[index], attribute)
    return Question(attribute, text, answer, phrases, (index,))


_SIDES = {"x": ("left", "right"), "y": ("top", "bottom")}
_SIDE_TEMPLATES = {
    "x": (
        "is the {subject} on the left or right?",
        "is the {subject} in the left or right half?",
        "which half is the {subject} in, left or right?",
    ),
    "y": (
        "is the {subject} at the top or bottom?",
        "is the {subject} in the top or bottom half?",
        "which half is the {subject} in, top or bottom?",
    ),
}


def side(scene: Scene, rng: random.Random) -> Question | None:
    """As in "is the star on the left or right?", by the halves of this scene's canvas."""
    axis, index = rng.choice("xy"), rng.randrange(len(scene.objects))
    one = scene.objects[index]
    beyond = one.x - scene.width / 2 if axis == "x" else one.y - scene.height / 2
    description = unique_description(rng, scene, index)
    if not description or abs(beyond) < margin(scene, axis, SIDE_MARGIN):
        return None
    template = rng.choice(_SIDE_TEMPLATES[axis])
    text, phrases = composed(template, subject=(description.noun, (index,)))
    return Question("side", text, _SIDES[axis][beyond > 0], phrases, (index,))


_SUPERLATIVES = {
    "leftmost": ("x", 1),
    "rightmost": ("x", -1),
    "highest": ("y", 1),
    "lowest": ("y", -1),
}


def extreme(scene: Scene, rng: random.Random) -> Question | None:
    """As in "what color is the leftmost object?"."""
    word, (axis, sign) = rng.choice(list(_SUPERLATIVES.items()))
    centers = [sign * getattr(one, axis) for one in scene.objects]
    first, second = sorted(range(len(centers)), key=centers.__getitem__)[:2]
    # Nobody should take a large object for the leftmost one because its edge is.
    edges = [center - one.radius for center, one in zip(centers, scene.objects, strict=True)]
    clear = centers[second] - centers[first] >= margin(scene, axis, EXTREME_MARGIN)
    if not clear or edges[first] > min(edges):
        return None
    attribute = rng.choice(("color", "shape"))
    template = attribute_template(rng, attribute, "{subject}")
    text, phrases = composed(template, subject=(f"{word} object", (first,)))
    answer = getattr(scene.objects[first], attribute)
    return Question("extreme", text, answer, phrases, (first,))

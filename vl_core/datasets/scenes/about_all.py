"""Questions about the whole scene: whether something is there, and how often."""

import random

from vl_core.datasets.scenes.layout import Scene
from vl_core.datasets.scenes.referring import Description, described
from vl_core.datasets.scenes.texts import Question, article, composed
from vl_core.datasets.scenes.words import COLORS, NUMBERS, SHAPES, SIZES

_EXIST_WAYS = (("color", "shape"), ("color", "shape"), ("size", "shape"), ("shape",), ("color",))
_EXIST_TEMPLATES = (
    "is there ARTICLE {subject}?",
    "do you see ARTICLE {subject}?",
    "does the picture have ARTICLE {subject}?",
)


def exist(scene: Scene, rng: random.Random) -> Question | None:
    """As in "is there a red star?"; no object is named where the answer is no."""
    answer, way = rng.choice(("yes", "no")), rng.choice(_EXIST_WAYS)
    description: Description | None = described(rng.choice(scene.objects), way)
    if answer == "no":
        description = _missing(scene, rng, way)
    if not description:
        return None
    template = rng.choice(_EXIST_TEMPLATES).replace("ARTICLE", article(description.noun))
    named = description.named(scene.objects)
    text, phrases = composed(template, subject=(description.noun, named))
    return Question("exist", text, answer, phrases, named)


def _missing(scene: Scene, rng: random.Random, way: tuple[str, ...]) -> Description | None:
    """A description that fits no object, if possible from words that each fit one."""
    values = {
        "size": ([one.size for one in scene.objects], SIZES),
        "color": ([one.color for one in scene.objects], COLORS),
        "shape": ([one.shape for one in scene.objects], SHAPES),
    }
    changed = rng.choice(way)
    for attempt in range(24):
        near = attempt < 6
        words = {
            attribute: rng.choice(there if near or attribute != changed else anything)
            for attribute, (there, anything) in values.items()
            if attribute in way
        }
        description = Description(**words)
        if not description.named(scene.objects):
            return description
    return None


_COUNT_TEMPLATES = (
    "how many {subject} are there?",
    "how many {subject} do you see?",
    "how many {subject} does the picture have?",
    "what is the number of {subject}?",
)
_COUNT_WAYS = {(): 1.0, ("shape",): 2.0, ("color",): 2.0, ("size",): 1.5}
# How much each number is preferred where a scene has several: so they come out about even.
_COUNT_WEIGHTS = {
    (): (1, 1, 1, 1, 1, 1, 1),
    ("shape",): (0.5, 0.65, 1.2, 6, 24, 60, 120),
    ("color",): (0.5, 0.65, 1.2, 6, 24, 60, 120),
    ("size",): (1.6, 0.6, 0.7, 1.2, 3, 10, 40),
}
_COUNTABLE = {
    (): (Description(),),
    ("shape",): tuple(Description(shape=shape) for shape in SHAPES),
    ("color",): tuple(Description(color=color) for color in COLORS),
    ("size",): tuple(Description(size=size) for size in SIZES),
}


def count(scene: Scene, rng: random.Random) -> Question:
    """As in "how many red objects are there?"."""
    way = rng.choices(list(_COUNT_WAYS), list(_COUNT_WAYS.values()))[0]
    options: dict[int, list[Description]] = {}
    for description in _COUNTABLE[way]:
        options.setdefault(len(description.named(scene.objects)), []).append(description)
    weights = [_COUNT_WEIGHTS[way][number] for number in options]
    number = rng.choices(list(options), weights)[0]
    chosen = rng.choice(options[number])
    named = chosen.named(scene.objects)
    text, phrases = composed(rng.choice(_COUNT_TEMPLATES), subject=(chosen.plural, named))
    return Question("count", text, NUMBERS[number], phrases, named)

"""Fixed sets of questions: the same ones each time, so that figures can be compared."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from PIL import Image

from vl_core.datasets.scenes import QUESTION_TYPES, Question, Scene, question, scene

CHOICES = {
    "color": 8,
    "shape": 8,
    "size": 2,
    "side": 2,
    "extreme": 8,
    "relation_query": 8,
    "exist": 2,
    "relation_verify": 2,
    "count": 7,
    "compare_size": 2,
    "nearest": 8,
    "same": 2,
}
"""How many answers the words of a question leave open, for each type."""


@dataclass(frozen=True)
class Asked:
    """A question about the scene of a seed."""

    seed: int
    scene: Scene
    question: Question

    @property
    def picture(self) -> Image.Image:
        """The scene's picture, as training renders it."""
        return rendered(self.scene)

    def saying(self, other: Question) -> "Asked":
        """Another question about the same scene."""
        return replace(self, question=other)


@lru_cache(maxsize=256)
def rendered(shown: Scene) -> Image.Image:
    """The scene's picture; questions about one scene follow each other."""
    return shown.render()


def question_set(seeds: range, per_type: int, size: tuple[int, int] | None = None) -> list[Asked]:
    """`per_type` questions of each type, one of a type about a scene, in the seeds' order.

    size: width and height of all canvases; without it, each scene's own.
    """
    found: list[Asked] = []
    missing = dict.fromkeys(QUESTION_TYPES, per_type)
    for seed in seeds:
        asked = _asked(seed, [name for name, number in missing.items() if number], size)
        found += asked
        for one in asked:
            missing[one.question.type] -= 1
        if not any(missing.values()):
            break
    return found


def questions_about(seeds: Sequence[int], types_per_scene: int) -> list[Asked]:
    """Every scene is asked questions of a few types, in turn; of those it offers, that is."""
    found: list[Asked] = []
    for number, seed in enumerate(seeds):
        turn = (number * types_per_scene + place for place in range(types_per_scene))
        found += _asked(seed, [QUESTION_TYPES[place % len(QUESTION_TYPES)] for place in turn])
    return found


def _asked(seed: int, types: Iterable[str], size: tuple[int, int] | None = None) -> list[Asked]:
    drawn, rng = scene(seed, size), random.Random(f"questions {seed}")
    asked = [question(drawn, question_type, rng) for question_type in types]
    return [Asked(seed, drawn, one) for one in asked if one]

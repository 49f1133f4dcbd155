"""Questions about a scene, of twelve types, with their answers and the objects they name.

Only what nobody would doubt is asked: a phrase fits one object alone, and positions differ by a
margin. Where a scene leaves a choice, the answer is drawn before the objects, so that the words of
a question tell little about its answer.
"""

import random
from collections.abc import Callable

from vl_core.datasets.scenes import about_all, about_one, about_two
from vl_core.datasets.scenes.layout import Scene
from vl_core.datasets.scenes.texts import Question

_ASKING: dict[str, Callable[[Scene, random.Random], Question | None]] = {
    "color": about_one.color,
    "shape": about_one.shape,
    "size": about_one.size,
    "side": about_one.side,
    "extreme": about_one.extreme,
    "relation_query": about_two.relation_query,
    "exist": about_all.exist,
    "relation_verify": about_two.relation_verify,
    "count": about_all.count,
    "compare_size": about_two.compare_size,
    "nearest": about_two.nearest,
    "same": about_two.same,
}
QUESTION_TYPES = tuple(_ASKING)

# The order in which they are offered: easy to see first, and varied.
_SUGGESTED = (
    *("color", "relation_query", "count", "extreme", "exist", "nearest"),
    *("same", "shape", "side", "relation_verify", "size", "compare_size"),
)
_DRAWS = 4
_ROUNDS = 6


def question(scene: Scene, question_type: str, rng: random.Random) -> Question | None:
    """A question of one of the QUESTION_TYPES, or None if a few draws found none for this scene."""
    for _ in range(_DRAWS):
        asked = _ASKING[question_type](scene, rng)
        if asked:
            return asked
    return None


def suggestions(scene: Scene, seed: int, count: int) -> list[Question]:
    """Up to `count` questions for this scene, no two alike, one of each type before a second."""
    rng = random.Random(seed)
    offered: dict[str, Question] = {}
    for _ in range(_ROUNDS):
        for question_type in _SUGGESTED:
            asked = question(scene, question_type, rng)
            if asked:
                offered.setdefault(asked.text, asked)
    by_type: dict[str, list[Question]] = {question_type: [] for question_type in _SUGGESTED}
    for asked in offered.values():
        by_type[asked.type].append(asked)
    rounds = (
        asked[number]
        for number in range(_ROUNDS)
        for asked in by_type.values()
        if number < len(asked)
    )
    return list(rounds)[:count]

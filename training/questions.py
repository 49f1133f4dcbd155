"""Fixed sets of questions: the same ones each time, so that figures can be compared."""

import random
from dataclasses import dataclass

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


def question_set(seeds: range, per_type: int) -> list[Asked]:
    """`per_type` questions of each type, one of a type about a scene, in the seeds' order."""
    found: list[Asked] = []
    missing = dict.fromkeys(QUESTION_TYPES, per_type)
    for seed in seeds:
        drawn, rng = scene(seed), random.Random(f"questions {seed}")
        for question_type in [name for name, number in missing.items() if number]:
            asked = question(drawn, question_type, rng)
            if asked:
                found.append(Asked(seed, drawn, asked))
                missing[question_type] -= 1
        if not any(missing.values()):
            break
    return found

"""Questions about two objects: how they lie to each other, and what they have in common."""

import random
from math import hypot

from vl_core.datasets.scenes.about_one import attribute_template
from vl_core.datasets.scenes.layout import Scene
from vl_core.datasets.scenes.referring import (
    RELATIONS,
    Description,
    Relation,
    clear_lead,
    described,
    lead,
    unique_description,
)
from vl_core.datasets.scenes.texts import Question, composed
from vl_core.datasets.scenes.words import SIZES

NEAREST_MARGIN = 10.0  # scene pixels on any canvas: distances run in both directions


def relation_query(scene: Scene, rng: random.Random) -> Question | None:
    """As in "what color is the object left of the red circle?"."""
    anchor = rng.randrange(len(scene.objects))
    relation = RELATIONS[rng.choice(list(RELATIONS))]
    attribute, given = rng.choice((("color", "shape"), ("shape", "color")))
    standing, doubtful = _standing(scene, relation, anchor)
    anchor_words = unique_description(rng, scene, anchor)
    if not standing or not anchor_words:
        return None
    target = rng.choice(standing)
    noun = Description()
    if len(standing) + len(doubtful) > 1:
        noun = described(scene.objects[target], (given,))
        there = [scene.objects[index] for index in (*standing, *doubtful)]
        # The noun must pick one of those that stand there, and must need the relation to do so.
        if len(noun.named(there)) > 1 or len(noun.named(scene.objects)) == 1:
            return None
    subject = f"{{target}} {rng.choice(relation.wordings)} the {{anchor}}"
    return _about_target(
        rng, scene, "relation_query", attribute, subject, (noun, target), (anchor_words, anchor)
    )


def _standing(scene: Scene, relation: Relation, anchor: int) -> tuple[list[int], list[int]]:
    """The objects that clearly stand in a relation to another, and those one might argue about."""
    clear = clear_lead(scene, relation)
    leads = {
        index: lead(relation, one, scene.objects[anchor])
        for index, one in enumerate(scene.objects)
        if index != anchor
    }
    standing = [index for index, value in leads.items() if value > clear]
    return standing, [index for index, value in leads.items() if -clear < value <= clear]


def nearest(scene: Scene, rng: random.Random) -> Question | None:
    """As in "what color is the object closest to the red circle?"."""
    if len(scene.objects) < 3:
        return None
    anchor = rng.randrange(len(scene.objects))
    target = _clearly_nearest(scene, anchor)
    anchor_words = unique_description(rng, scene, anchor)
    if target is None or not anchor_words:
        return None
    attribute = rng.choice(("color", "shape"))
    subject = f"{{target}} {rng.choice(('closest to', 'nearest to'))} the {{anchor}}"
    return _about_target(
        rng, scene, "nearest", attribute, subject, (Description(), target), (anchor_words, anchor)
    )


def _clearly_nearest(scene: Scene, anchor: int) -> int | None:
    """The object whose center is nearest by a margin and whose edge is nearest too."""
    x, y = scene.objects[anchor].x, scene.objects[anchor].y
    distances = {
        index: hypot(one.x - x, one.y - y)
        for index, one in enumerate(scene.objects)
        if index != anchor
    }
    first, second = sorted(distances, key=distances.__getitem__)[:2]
    gaps = {index: far - scene.objects[index].radius for index, far in distances.items()}
    clear = distances[second] - distances[first] >= NEAREST_MARGIN
    return first if clear and gaps[first] == min(gaps.values()) else None


_VERIFY_TEMPLATES = (
    "is the {one} RELATION the {other}?",
    "do you see the {one} RELATION the {other}?",
    "would you say the {one} is RELATION the {other}?",
)


def relation_verify(scene: Scene, rng: random.Random) -> Question | None:
    """As in "is the star left of the red circle?"."""
    first, second = rng.sample(range(len(scene.objects)), 2)
    relation = RELATIONS[rng.choice(list(RELATIONS))]
    distance = lead(relation, scene.objects[first], scene.objects[second])
    answer = rng.choice(("yes", "no"))
    if abs(distance) <= clear_lead(scene, relation):
        return None
    pair = (first, second) if (distance > 0) == (answer == "yes") else (second, first)
    template = rng.choice(_VERIFY_TEMPLATES).replace("RELATION", rng.choice(relation.wordings))
    return _about_pair(rng, scene, "relation_verify", template, answer, pair)


_COMPARATIVES = {"large": ("larger", "bigger"), "small": ("smaller",)}
_COMPARE_TEMPLATES = (
    "is the {one} WORD than the {other}?",
    "does the {one} look WORD than the {other}?",
    "would you say the {one} is WORD than the {other}?",
)


def compare_size(scene: Scene, rng: random.Random) -> Question | None:
    """As in "is the star larger than the red circle?", of a small and a large object."""
    first, second = rng.sample(range(len(scene.objects)), 2)
    if scene.objects[first].size == scene.objects[second].size:
        return None
    answer, asked = rng.choice(("yes", "no")), rng.choice(SIZES)
    as_asked = (scene.objects[first].size == asked) == (answer == "yes")
    pair = (first, second) if as_asked else (second, first)
    template = rng.choice(_COMPARE_TEMPLATES).replace("WORD", rng.choice(_COMPARATIVES[asked]))
    return _about_pair(rng, scene, "compare_size", template, answer, pair, hidden="size")


_SAME_TEMPLATES = (
    "do the {one} and the {other} have the same ATTRIBUTE?",
    "are the {one} and the {other} the same ATTRIBUTE?",
    "is the {one} the same ATTRIBUTE as the {other}?",
)
_YES_TRIED = 0.58  # fewer pairs are alike and can be told apart: so "yes" comes out half the time


def same(scene: Scene, rng: random.Random) -> Question | None:
    """As in "do the star and the circle have the same color?"."""
    attribute = rng.choice(("color", "shape"))
    alike = rng.random() < _YES_TRIED
    values = [getattr(one, attribute) for one in scene.objects]
    pairs = [
        (one, other)
        for one in range(len(values))
        for other in range(len(values))
        if one != other and (values[one] == values[other]) == alike
    ]
    if not pairs:
        return None
    template = rng.choice(_SAME_TEMPLATES).replace("ATTRIBUTE", attribute)
    answer = "yes" if alike else "no"
    return _about_pair(rng, scene, "same", template, answer, rng.choice(pairs), hidden=attribute)


def _about_target(
    rng: random.Random,
    scene: Scene,
    question_type: str,
    attribute: str,
    subject: str,
    *named: tuple[Description, int],
) -> Question:
    """A question for an attribute of {target}, an object that is found from {anchor}."""
    (target_words, target), (anchor_words, anchor) = named
    text, phrases = composed(
        attribute_template(rng, attribute, subject),
        target=(target_words.noun, (target,)),
        anchor=(anchor_words.noun, (anchor,)),
    )
    answer = getattr(scene.objects[target], attribute)
    return Question(question_type, text, answer, phrases, (target, anchor))


def _about_pair(
    rng: random.Random,
    scene: Scene,
    question_type: str,
    template: str,
    answer: str,
    pair: tuple[int, int],
    *,
    hidden: str = "",
) -> Question | None:
    """A question whose template names {one} and {other}, if both can be described."""
    one, other = (unique_description(rng, scene, index, hidden) for index in pair)
    if not one or not other:
        return None
    text, phrases = composed(template, one=(one.noun, pair[:1]), other=(other.noun, pair[1:]))
    return Question(question_type, text, answer, phrases, pair)

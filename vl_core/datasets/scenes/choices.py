"""Multiple choice about a scene, as in VCR: a question, four answers, four reasons for the answer.

Objects are named by their tags. Each set of four is made of two facts that only the picture tells,
each said rightly and wrongly: all four sound alike, and without looking no one is likelier.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from vl_core.datasets.scenes.about_one import EXTREME_MARGIN, SIDE_MARGIN
from vl_core.datasets.scenes.layout import Scene
from vl_core.datasets.scenes.objects import SceneObject
from vl_core.datasets.scenes.referring import (
    RELATIONS,
    Description,
    Relation,
    clear_lead,
    described,
    lead,
    margin,
)
from vl_core.datasets.scenes.texts import article
from vl_core.datasets.scenes.words import COLORS, PLURALS, SHAPES, SIZES

Words = tuple[str | tuple[int, ...], ...]
"""Words and object tags in their order; a tag holds indices into the scene's objects, from 0."""

N_CANDIDATES = 4


@dataclass(frozen=True, slots=True)
class Choices:
    """A question with four answers and four reasons for the right one; labels count from 0.

    focus: the objects that the question is about.
    """

    kind: str
    question: Words
    answers: tuple[Words, ...]
    answer_label: int
    rationales: tuple[Words, ...]
    rationale_label: int
    focus: tuple[int, ...]


def choices(scene: Scene, rng: random.Random, kind: str | None = None) -> Choices | None:
    """Multiple choice of a kind (any of them by default); None if a few draws found none."""
    kind = kind or rng.choice(CHOICE_KINDS)
    for _ in range(_DRAWS):
        drawn = _ASKING[kind](scene, rng)
        if drawn:
            return drawn
    return None


def spoken(words: Words) -> str:
    """The words as a text in which object 0 is called "[1]"; several are joined by "and"."""
    parts = [
        part if isinstance(part, str) else " and ".join(f"[{index + 1}]" for index in part)
        for part in words
    ]
    return " ".join(parts)


def _relation(scene: Scene, rng: random.Random) -> Choices | None:
    """As in "what is left of [4] ?" - "[2] , the red star ."."""
    relation = RELATIONS[rng.choice(list(RELATIONS))]
    anchor = rng.randrange(len(scene.objects))
    there = _standing(scene, relation, anchor)
    elsewhere = _standing(scene, RELATIONS[relation.inverse], anchor)
    if not there or not elsewhere:
        return None
    target, decoy = rng.choice(there), rng.choice(elsewhere)
    if _is_left_out(scene, rng, target):
        return None
    wording = rng.choice(relation.wordings).split()
    reasons = _reason_by_place(scene, rng, target, relation, anchor)
    question: Words = ("what", "is", *wording, (anchor,), "?")
    return _shuffled(
        rng, "relation", question, _which(scene, rng, target, decoy), reasons, (target, anchor)
    )


def _extreme(scene: Scene, rng: random.Random) -> Choices | None:
    """As in "which object is the leftmost ?" - "[2] , the red star ."."""
    word, relation = rng.choice(
        [
            ("leftmost", "left of"),
            ("rightmost", "right of"),
            ("highest", "above"),
            ("lowest", "below"),
        ]
    )
    order = _ordered(scene, RELATIONS[relation])
    if order is None:
        return None
    target, decoy = order[0], rng.choice(order[1:])
    behind = [one for one in order[1:] if _stands(scene, RELATIONS[relation], target, one)]
    if not behind or _is_left_out(scene, rng, target):
        return None
    reasons = _reason_by_place(scene, rng, target, RELATIONS[relation], rng.choice(behind))
    question: Words = ("which", "object", "is", "the", word, "?")
    return _shuffled(
        rng, "extreme", question, _which(scene, rng, target, decoy), reasons, (target,)
    )


def _size(scene: Scene, rng: random.Random) -> Choices | None:
    """As in "how do [6] and [4] compare ?" - "[6] , the red star , is larger ."."""
    one, other = rng.sample(range(len(scene.objects)), 2)
    side = _side(scene, rng, scene.objects[other])
    if scene.objects[one].size == scene.objects[other].size or side is None:
        return None
    words = ("larger", "smaller") if scene.objects[one].size == "large" else ("smaller", "larger")
    noun, wrong_noun = _noun_and_decoy(scene, rng, one, other)
    answers: list[Words] = [
        ((one,), ",", "the", *described_noun.noun.split(), ",", "is", word, ".")
        for described_noun in (noun, wrong_noun)
        for word in words
    ]
    beside = scene.objects[one]
    own, changed = _noun(scene, other), _one_changed(rng, _noun(scene, other), beside)
    size = scene.objects[other].size
    reasons: list[Words] = [
        ("because", (other,), ",", "the", *noun.noun.split(), *place.split(), ",", "is", size, ".")
        for noun in (own, changed)
        for place in side
    ]
    question: Words = ("how", "do", (one,), "and", (other,), "compare", "?")
    return _shuffled(rng, "size", question, answers, reasons, (one, other))


def _shared(scene: Scene, rng: random.Random) -> Choices | None:
    """As in "what do [1] and [3] share ?" - "both are red ."."""
    one, other = rng.sample(range(len(scene.objects)), 2)
    first, second = scene.objects[one], scene.objects[other]
    if (first.color == second.color) == (first.shape == second.shape):
        return None
    by_color = first.color == second.color
    shared, differing = ("color", "shape") if by_color else ("shape", "color")
    right, wrong = _two_values(rng, shared, getattr(first, shared))
    answers = [_both(value) for value in (right, wrong)]
    answers += [_both(getattr(one, differing)) for one in (first, second)]
    # What each is beside the shared: no value said of the one is said of the other.
    own, others = getattr(first, differing), getattr(second, differing)
    values = [value for value in _VALUES[differing] if value not in {own, others}]
    own_wrong, others_wrong = rng.sample(values, 2)
    reasons: list[Words] = [
        ("because", (one,), "is", *_said(mine), "and", (other,), "is", *_said(theirs), ".")
        for mine in (own, own_wrong)
        for theirs in (others, others_wrong)
    ]
    question: Words = ("what", "do", (one,), "and", (other,), "share", "?")
    return _shuffled(rng, "shared", question, answers, reasons, (one, other))


_ASKING: dict[str, Callable[[Scene, random.Random], Choices | None]] = {
    "relation": _relation,
    "extreme": _extreme,
    "size": _size,
    "shared": _shared,
}
CHOICE_KINDS = tuple(_ASKING)
_DRAWS = 12
_VALUES = {"color": COLORS, "shape": SHAPES}
_DECOY_SHARE = 0.7  # of the wrong descriptions fit the decoy
# Scenes have more small objects than large ones, and objects that share a color or shape. So that
# a reason is no likelier for saying so, some draws are left out and some wrong values are shared.
_SMALL_LEFT_OUT = 0.47  # of the draws whose target is small
_SHARED_SHARE = 0.39


def _which(scene: Scene, rng: random.Random, target: int, decoy: int) -> list[Words]:
    """Target or decoy, called by what one or the other looks like; the first one is right."""
    noun, wrong_noun = _noun_and_decoy(scene, rng, target, decoy)
    return [
        ((index,), ",", "the", *described_noun.noun.split(), ".")
        for index in (target, decoy)
        for described_noun in (noun, wrong_noun)
    ]


def _reason_by_place(
    scene: Scene, rng: random.Random, target: int, relation: Relation, anchor: int
) -> list[Words]:
    """Size of the target and looks of the anchor, each right or wrong; the first one is right."""
    one = scene.objects[target]
    own, changed = _noun(scene, anchor), _one_changed(rng, _noun(scene, anchor), one)
    wording = rng.choice(relation.wordings).split()
    other_size = SIZES[1 - SIZES.index(one.size)]
    places: list[Words] = [
        (*wording, (anchor,), ",", "the", *noun.noun.split(), ".") for noun in (own, changed)
    ]
    return [
        ("because", (target,), ",", "the", size, one.shape, ",", "is", *place)
        for size in (one.size, other_size)
        for place in places
    ]


def _is_left_out(scene: Scene, rng: random.Random, index: int) -> bool:
    return scene.objects[index].size == "small" and rng.random() < _SMALL_LEFT_OUT


def _noun_and_decoy(
    scene: Scene, rng: random.Random, target: int, decoy: int
) -> tuple[Description, Description]:
    """What the target looks like, and what it does not: often what the decoy looks like."""
    own, others = _noun(scene, target), _noun(scene, decoy)
    if own != others and rng.random() < _DECOY_SHARE:
        return own, others
    return own, _one_changed(rng, own)


def _noun(scene: Scene, index: int) -> Description:
    return described(scene.objects[index], ("color", "shape"))


def _one_changed(
    rng: random.Random, noun: Description, beside: SceneObject | None = None
) -> Description:
    """The description with another color or shape, often that of the object named beside it."""
    attribute = rng.choice(("color", "shape"))
    right, wrong = _two_values(rng, attribute, getattr(noun, attribute))
    shared = getattr(beside, attribute, right)
    if shared != right:
        others = [value for value in _VALUES[attribute] if value not in {right, shared}]
        wrong = shared if rng.random() < _SHARED_SHARE else rng.choice(others)
    return noun._replace(**{attribute: wrong})


def _two_values(rng: random.Random, attribute: str, right: str) -> tuple[str, str]:
    return right, rng.choice([value for value in _VALUES[attribute] if value != right])


def _both(value: str) -> Words:
    return ("both", "are", PLURALS.get(value, value), ".")


def _said(value: str) -> tuple[str, ...]:
    return (article(value), value) if value in SHAPES else (value,)


def _stands(scene: Scene, relation: Relation, one: int, anchor: int) -> bool:
    distance = lead(relation, scene.objects[one], scene.objects[anchor])
    return distance > clear_lead(scene, relation)


def _standing(scene: Scene, relation: Relation, anchor: int) -> list[int]:
    """The objects that clearly stand in the relation to the anchor."""
    others = (index for index in range(len(scene.objects)) if index != anchor)
    return [index for index in others if _stands(scene, relation, index, anchor)]


def _ordered(scene: Scene, relation: Relation) -> list[int] | None:
    """All objects from the outermost on, by center; None if one might argue about the first."""
    sign = relation.sign
    centers = [sign * getattr(one, relation.axis) for one in scene.objects]
    order = sorted(range(len(centers)), key=centers.__getitem__)
    edges = [center - one.radius for center, one in zip(centers, scene.objects, strict=True)]
    gap = centers[order[1]] - centers[order[0]]
    is_clear = gap >= margin(scene, relation.axis, EXTREME_MARGIN)
    return order if is_clear and edges[order[0]] == min(edges) else None


def _side(scene: Scene, rng: random.Random, one: SceneObject) -> tuple[str, str] | None:
    """The half of the picture that an object lies in, then the other; None if one might argue."""
    sides = [
        (("on the left", "on the right"), one.x - scene.width / 2, margin(scene, "x", SIDE_MARGIN)),
        (
            ("at the top", "at the bottom"),
            one.y - scene.height / 2,
            margin(scene, "y", SIDE_MARGIN),
        ),
    ]
    clear = [(names, beyond) for names, beyond, least in sides if abs(beyond) >= least]
    if not clear:
        return None
    names, beyond = rng.choice(clear)
    return names if beyond < 0 else (names[1], names[0])


def _shuffled(
    rng: random.Random,
    kind: str,
    question: Words,
    answers: list[Words],
    reasons: list[Words],
    focus: tuple[int, ...],
) -> Choices:
    """The candidates, of which the first are right, in an order that tells nothing."""
    answer_order, reason_order = (rng.sample(range(N_CANDIDATES), N_CANDIDATES) for _ in range(2))
    return Choices(
        kind,
        question,
        tuple(answers[place] for place in answer_order),
        answer_order.index(0),
        tuple(reasons[place] for place in reason_order),
        reason_order.index(0),
        focus,
    )

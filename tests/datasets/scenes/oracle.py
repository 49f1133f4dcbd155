"""A slow reader of the scenes' language: it knows the grammar and the scene, not the generator.

Whatever is ambiguous or too close to call raises Doubt, so that a test that asks it for an answer
also tests that the question was a fair one.
"""

import re
from itertools import permutations
from math import dist

from vl_core.datasets.scenes import COLORS, SHAPES, SIZES, Scene, SceneObject

SINGULAR = {f"{shape}s": shape for shape in SHAPES} | {"crosses": "cross", "objects": "object"}
RELATION = "left of|to the left of|right of|to the right of|above|below"
CLOSEST = "closest to|nearest to"


class DoubtError(Exception):
    """The text cannot be answered beyond doubt."""


def fits(one: SceneObject, words: str) -> bool:
    """Whether every word of "large red star" is true of an object."""
    for word in words.split():
        noun = SINGULAR.get(word, word)
        if noun in SIZES:
            true = one.size == noun
        elif noun in COLORS:
            true = one.color == noun
        elif noun in SHAPES:
            true = one.shape == noun
        elif noun == "object":
            true = True
        else:
            raise DoubtError(f"no attribute: {word!r}")
        if not true:
            return False
    return True


def all_named(scene: Scene, words: str) -> list[SceneObject]:
    """The objects that the words fit."""
    return [one for one in scene.objects if fits(one, words)]


def only(objects: list[SceneObject]) -> SceneObject:
    """The one object there is."""
    if len(objects) != 1:
        raise DoubtError(f"{len(objects)} objects, not one")
    return objects[0]


def margin(side: int, on_full_side: float) -> float:
    """The clearance that a side of this length asks for: 3/4 on half a side."""
    return {128: 1.0, 112: 0.9375, 96: 0.875, 80: 0.8125, 64: 0.75}[side] * on_full_side


def stands(scene: Scene, relation: str, one: SceneObject, other: SceneObject) -> bool | None:
    """Whether a relation holds; None where that is too close to call."""
    side = scene.width if "of" in relation else scene.height
    distance = {
        "left of": other.x - one.x,
        "right of": one.x - other.x,
        "above": other.y - one.y,
        "below": one.y - other.y,
    }[relation.removeprefix("to the ")]
    return None if abs(distance) <= margin(side, 9) else distance > 0


def outermost(scene: Scene, superlative: str) -> SceneObject:
    """The leftmost, rightmost, highest or lowest object by its center, and by its edge too."""
    side = scene.width if superlative in ("leftmost", "rightmost") else scene.height
    place = {
        "leftmost": lambda one: one.x,
        "rightmost": lambda one: scene.width - one.x,
        "highest": lambda one: one.y,
        "lowest": lambda one: scene.height - one.y,
    }
    center = place[superlative]
    first, second = sorted(scene.objects, key=center)[:2]
    by_edge = min(scene.objects, key=lambda one: center(one) - one.radius)
    if center(second) - center(first) < margin(side, 5) or by_edge is not first:
        raise DoubtError(f"two objects could be the {superlative}")
    return first


def related(scene: Scene, words: str, relation: str, anchor_words: str) -> SceneObject:
    """The object with these words that stands in a relation to the one with those."""
    anchor = only(all_named(scene, anchor_words))
    candidates = [
        one
        for one in scene.objects
        if one is not anchor
        and fits(one, words)
        and stands(scene, relation, one, anchor) is not False
    ]
    target = only(candidates)
    if stands(scene, relation, target, anchor) is None:
        raise DoubtError("the only candidate might not stand there")
    return target


def closest(scene: Scene, anchor_words: str) -> SceneObject:
    """The object closest to another, by a margin, by its center and by its edge."""
    anchor = only(all_named(scene, anchor_words))
    distances = {
        one: dist((one.x, one.y), (anchor.x, anchor.y))
        for one in scene.objects
        if one is not anchor
    }
    first, second = sorted(distances, key=lambda one: distances[one])[:2]
    by_edge = min(distances, key=lambda one: distances[one] - one.radius)
    if distances[second] - distances[first] < 10 or by_edge is not first:
        raise DoubtError("two objects could be the closest")
    return first


def subject(scene: Scene, words: str) -> SceneObject:
    """The one object that a subject means: described, outermost, related or closest."""
    if found := re.fullmatch(r"(leftmost|rightmost|highest|lowest) object", words):
        return outermost(scene, found[1])
    if found := re.fullmatch(rf"(.+?) ({RELATION}) the (.+)", words):
        return related(scene, *found.groups())
    if found := re.fullmatch(rf"object ({CLOSEST}) the (.+)", words):
        return closest(scene, found[2])
    return only(all_named(scene, words))


def attribute(scene: Scene, found: re.Match) -> str:
    """A color, shape or size."""
    name = found["attribute"]
    return getattr(subject(scene, found["subject"]), "size" if name == "big" else name)


def half(scene: Scene, found: re.Match) -> str:
    """The half of the canvas in which an object's center lies."""
    one = subject(scene, found["subject"])
    horizontal = found["sides"] == "left or right"
    place, side = (one.x, scene.width) if horizontal else (one.y, scene.height)
    if abs(place - side / 2) < margin(side, 8):
        raise DoubtError("too close to the middle")
    return found["sides"].split(" or ")[place > side / 2]


def exists(scene: Scene, found: re.Match) -> str:
    """Whether any object fits."""
    return "yes" if all_named(scene, found["subject"]) else "no"


def number(scene: Scene, found: re.Match) -> str:
    """How many objects fit."""
    return str(len(all_named(scene, found["subject"])))


def verified(scene: Scene, found: re.Match) -> str:
    """Whether two objects stand in a relation."""
    one, other = (only(all_named(scene, found[name])) for name in ("one", "other"))
    holds = stands(scene, found["relation"], one, other)
    if holds is None:
        raise DoubtError("too close to call")
    return "yes" if holds else "no"


def compared(scene: Scene, found: re.Match) -> str:
    """Whether the first of a small and a large object is the larger or smaller one."""
    one, other = (only(all_named(scene, found[name])) for name in ("one", "other"))
    if one.size == other.size:
        raise DoubtError("both of one size")
    larger = one.radius > other.radius
    return "yes" if larger == (found["word"] in ("larger", "bigger")) else "no"


def alike(scene: Scene, found: re.Match) -> str:
    """Whether two different objects share an attribute."""
    one, other = (only(all_named(scene, found[name])) for name in ("one", "other"))
    if one is other:
        raise DoubtError("an object compared with itself")
    name = found["attribute"]
    return "yes" if getattr(one, name) == getattr(other, name) else "no"


GRAMMAR = {
    r"what (?P<attribute>color|shape|size) is the (?P<subject>.+)\?": attribute,
    r"what is the (?P<attribute>color|shape|size) of the (?P<subject>.+)\?": attribute,
    r"which (?P<attribute>color|shape) does the (?P<subject>.+) have\?": attribute,
    r"how (?P<attribute>big) is the (?P<subject>.+)\?": attribute,
    r"is the (?P<subject>.+) on the (?P<sides>left or right)\?": half,
    r"is the (?P<subject>.+) at the (?P<sides>top or bottom)\?": half,
    r"is the (?P<subject>.+) in the (?P<sides>left or right|top or bottom) half\?": half,
    r"which half is the (?P<subject>.+) in, (?P<sides>left or right|top or bottom)\?": half,
    r"(is there|do you see|does the picture have) an? (?P<subject>.+)\?": exists,
    r"how many (?P<subject>.+) (are there|do you see|does the picture have)\?": number,
    r"what is the number of (?P<subject>.+)\?": number,
    rf"(is|do you see) the (?P<one>.+?) (?P<relation>{RELATION}) the (?P<other>.+)\?": verified,
    rf"would you say the (?P<one>.+) is (?P<relation>{RELATION}) the (?P<other>.+)\?": verified,
    r"(is|does|would you say) the (?P<one>.+?)( look| is)? "
    r"(?P<word>larger|bigger|smaller) than the (?P<other>.+)\?": compared,
    r"do the (?P<one>.+) and the (?P<other>.+) have the same (?P<attribute>color|shape)\?": alike,
    r"are the (?P<one>.+) and the (?P<other>.+) the same (?P<attribute>color|shape)\?": alike,
    r"is the (?P<one>.+) the same (?P<attribute>color|shape) as the (?P<other>.+)\?": alike,
}


def answer(scene: Scene, text: str) -> str:
    """The answer to a question; raises DoubtError where there is more or less than one."""
    readings = [
        read(scene, found)
        for pattern, read in GRAMMAR.items()
        if (found := re.fullmatch(pattern, text))
    ]
    if len(readings) != 1:
        raise DoubtError(f"{len(readings)} readings of {text!r}")
    return readings[0]


def is_true(scene: Scene, text: str) -> bool:
    """Whether a caption holds; raises DoubtError where that is too close to call."""
    noun = r"an? ([a-z]+(?: [a-z]+)*?)"
    opening = "(?:the picture shows |there is |you can see )?"
    if found := re.fullmatch(rf"{opening}{noun}(?: is)? ({RELATION}) {noun}\.", text):
        one, relation, other = found.groups()
        return relation_holds_somewhere(scene, one, relation, other)
    if not (found := re.fullmatch(rf"{opening}(.+)\.", text)):
        raise DoubtError(f"no reading of {text!r}")
    items = re.split(r", | and ", found[1])
    return all(all_named(scene, re.fullmatch(noun, item)[1]) for item in items)


def relation_holds_somewhere(scene: Scene, one: str, relation: str, other: str) -> bool:
    """Whether any pair of different objects fits; in doubt only if no pair clearly does."""
    held = [
        stands(scene, relation, first, second)
        for first, second in permutations(scene.objects, 2)
        if fits(first, one) and fits(second, other)
    ]
    if True in held:
        return True
    if None in held:
        raise DoubtError("too close to call")
    return False

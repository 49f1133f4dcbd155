"""Speaking of objects: descriptions that fit them, and the relations they stand in."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from vl_core.datasets.scenes.layout import CANVAS, Scene
from vl_core.datasets.scenes.objects import SceneObject
from vl_core.datasets.scenes.words import PLURALS

ATTRIBUTES = ("size", "color", "shape")
_WAYS = (
    ("shape",),
    ("color",),
    *[("color", "shape")] * 3,
    ("size", "shape"),
    ("size", "color"),
    ATTRIBUTES,
)
_RELATION_MARGIN = 9.0  # scene pixels, see `margin`


class Description(NamedTuple):
    """What is said of an object, None for what is left open."""

    size: str | None = None
    color: str | None = None
    shape: str | None = None

    def fits(self, one: SceneObject) -> bool:
        """Whether everything that is said is true of this object."""
        size, color, shape = self
        return (
            (shape is None or one.shape == shape)
            and (color is None or one.color == color)
            and (size is None or one.size == size)
        )

    def named(self, objects: Sequence[SceneObject]) -> tuple[int, ...]:
        """Indices of the objects that it fits."""
        return tuple(index for index, one in enumerate(objects) if self.fits(one))

    @property
    def noun(self) -> str:
        """As in "large red star" or "red object"."""
        return " ".join(word for word in (self.size, self.color, self.shape or "object") if word)

    @property
    def plural(self) -> str:
        """As in "red stars" or "objects"."""
        noun = PLURALS[self.shape] if self.shape else "objects"
        return " ".join(word for word in (self.size, self.color, noun) if word)


def described(one: SceneObject, attributes: Sequence[str]) -> Description:
    """The object by these of its attributes."""
    return Description(
        one.size if "size" in attributes else None,
        one.color if "color" in attributes else None,
        one.shape if "shape" in attributes else None,
    )


def unique_description(
    rng: random.Random, scene: Scene, index: int, hidden: str = ""
) -> Description | None:
    """Words that fit this object alone, without the hidden attribute; None if there are none."""
    ways = [way for way in _WAYS if hidden not in way]
    rng.shuffle(ways)
    for way in ways:
        description = described(scene.objects[index], way)
        if len(description.named(scene.objects)) == 1:
            return description
    return None


class Relation(NamedTuple):
    """A direction on one axis: `sign` is 1 where the first object has the smaller coordinate."""

    text: str
    axis: str
    sign: int
    inverse: str
    wordings: tuple[str, ...]


RELATIONS = {
    one.text: one
    for one in (
        Relation("left of", "x", 1, "right of", ("left of", "to the left of")),
        Relation("right of", "x", -1, "left of", ("right of", "to the right of")),
        Relation("above", "y", 1, "below", ("above",)),
        Relation("below", "y", -1, "above", ("below",)),
    )
}


def margin(scene: Scene, axis: str, pixels: float) -> float:
    """A safety distance in scene pixels: as given on a full side, a quarter less on half a side."""
    side = scene.width if axis == "x" else scene.height
    return pixels * (1 + side / CANVAS) / 2


def lead(relation: Relation, one: SceneObject, other: SceneObject) -> float:
    """How far the first center is ahead in a relation, in scene pixels; negative if behind."""
    distance = other.x - one.x if relation.axis == "x" else other.y - one.y
    return distance * relation.sign


def clear_lead(scene: Scene, relation: Relation) -> float:
    """The lead beyond which nobody would doubt the relation."""
    return margin(scene, relation.axis, _RELATION_MARGIN)

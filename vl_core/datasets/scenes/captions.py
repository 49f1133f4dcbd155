"""Captions of a scene, true ones and ones that a single word makes false."""

import random
from dataclasses import dataclass

from vl_core.datasets.scenes.layout import Scene
from vl_core.datasets.scenes.objects import SceneObject
from vl_core.datasets.scenes.referring import (
    ATTRIBUTES,
    RELATIONS,
    Description,
    Relation,
    clear_lead,
    described,
    lead,
)
from vl_core.datasets.scenes.texts import Phrase, article, composed
from vl_core.datasets.scenes.words import COLORS, SHAPES, SIZES

_VALUES = {"size": SIZES, "color": COLORS, "shape": SHAPES}
_RELATION_SHARE = 0.55
_TURNED_SHARE = 0.3  # of the wrong captions with a relation


@dataclass(frozen=True, slots=True)
class Caption:
    """A statement about a scene, and whether it is true."""

    text: str
    phrases: tuple[Phrase, ...]
    matches: bool


@dataclass(frozen=True, slots=True)
class _Statement:
    """These objects are there, and the first in the relation, if any, to the second."""

    mentions: tuple[Description, ...]
    relation: Relation | None


def caption(scene: Scene, rng: random.Random) -> Caption:
    """A true statement about one to three objects."""
    return _said(scene, rng, _true_statement(scene, rng), matches=True)


def wrong_caption(scene: Scene, rng: random.Random) -> Caption | None:
    """A statement that one attribute or the relation makes false; None if a few draws found none.

    It is false beyond doubt: no object fits it, or no pair comes near to standing as it says.
    """
    statement = _true_statement(scene, rng)
    if statement.relation and rng.random() < _TURNED_SHARE:
        inverse = RELATIONS[statement.relation.inverse]
        if _perhaps(scene, statement.mentions, inverse):
            return None
        return _said(scene, rng, _Statement(statement.mentions, inverse), matches=False)
    for _ in range(8):
        mentions = _one_word_changed(scene, rng, statement.mentions)
        if mentions:
            return _said(scene, rng, _Statement(mentions, statement.relation), matches=False)
    return None


def _true_statement(scene: Scene, rng: random.Random) -> _Statement:
    if rng.random() < _RELATION_SHARE:
        for _ in range(6):
            one, other = rng.sample(scene.objects, 2)
            mentions = (_mention(rng, one), _mention(rng, other))
            standing = [
                relation
                for relation in RELATIONS.values()
                if lead(relation, one, other) > clear_lead(scene, relation)
            ]
            if standing and mentions[0] != mentions[1]:
                return _Statement(mentions, rng.choice(standing))
    shown = rng.sample(scene.objects, min(len(scene.objects), rng.randint(1, 3)))
    # Two objects that sound alike are mentioned once.
    return _Statement(tuple(dict.fromkeys(_mention(rng, one) for one in shown)), None)


def _mention(rng: random.Random, one: SceneObject) -> Description:
    return described(one, ATTRIBUTES if rng.random() < 0.5 else ("color", "shape"))


def _one_word_changed(
    scene: Scene, rng: random.Random, mentions: tuple[Description, ...]
) -> tuple[Description, ...] | None:
    """The mentions with a word exchanged, often for one of the scene; None if that is true."""
    place = rng.randrange(len(mentions))
    attribute = rng.choice([name for name in ATTRIBUTES if getattr(mentions[place], name)])
    values = _VALUES[attribute]
    if rng.random() < 0.5:
        values = tuple(getattr(one, attribute) for one in scene.objects)
    changed = mentions[place]._replace(**{attribute: rng.choice(values)})
    if changed.named(scene.objects):
        return None
    return (*mentions[:place], changed, *mentions[place + 1 :])


def _perhaps(scene: Scene, mentions: tuple[Description, ...], relation: Relation) -> bool:
    """Whether two objects that fit the mentions might stand in the relation, if only just."""
    one, other = (description.named(scene.objects) for description in mentions)
    return any(
        lead(relation, scene.objects[first], scene.objects[second]) >= -clear_lead(scene, relation)
        for first in one
        for second in other
        if first != second
    )


_RELATION_TEMPLATES = (
    "ONE is RELATION OTHER.",
    "there is ONE RELATION OTHER.",
    "the picture shows ONE RELATION OTHER.",
)
_OPENINGS = ("the picture shows", "there is", "you can see")


def _said(scene: Scene, rng: random.Random, statement: _Statement, *, matches: bool) -> Caption:
    nouns = [mention.noun for mention in statement.mentions]
    items = [f"{article(noun)} {{{index}}}" for index, noun in enumerate(nouns)]
    if statement.relation:
        template = rng.choice(_RELATION_TEMPLATES)
        template = template.replace("RELATION", rng.choice(statement.relation.wordings))
        template = template.replace("ONE", items[0]).replace("OTHER", items[1])
    else:
        listed = " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
        template = f"{rng.choice(_OPENINGS)} {listed}."
    named = [mention.named(scene.objects) for mention in statement.mentions]
    parts = {str(index): part for index, part in enumerate(zip(nouns, named, strict=True))}
    text, phrases = composed(template, **parts)
    return Caption(text, phrases, matches)

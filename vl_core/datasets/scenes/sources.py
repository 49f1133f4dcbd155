"""Questions to be answered from one of several sources, as in WebQA: pictures with captions, texts.

The picture or text that answers is of the place that the question names and shows the object that
it asks for. The others are of that place without such an object, or of another place with one.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vl_core.datasets.scenes.layout import Scene
from vl_core.datasets.scenes.objects import SceneObject
from vl_core.datasets.scenes.referring import ATTRIBUTES, Description, described
from vl_core.datasets.scenes.texts import article
from vl_core.datasets.scenes.words import COLORS, NUMBERS, PLACES, PLURALS

CATEGORIES = ("color", "shape", "number", "YesNo", "choose")
"""What is asked, by WebQA's names; a question that a text answers is of its category "text"."""


@dataclass(frozen=True, slots=True)
class Source:
    """A picture with its caption, or a text (`scene` is None).

    is_gold: it answers the question. shows_asked: it has what is asked for, of whatever place.
    """

    text: str
    scene: Scene | None
    is_gold: bool
    shows_asked: bool


@dataclass(frozen=True, slots=True)
class SourcedQuestion:
    """A question, its sources in an order that tells nothing, the answer as a word and in full."""

    category: str
    text: str
    sources: tuple[Source, ...]
    answer: str
    sentence: str
    place: str

    @property
    def by_text(self) -> bool:
        """Whether a text answers it, not a picture."""
        return any(one.is_gold and one.scene is None for one in self.sources)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of one scene; `noun` is what a source must show to be of any use."""

    category: str
    text: str
    noun: Description
    answer: str
    sentence: str


def sourced_question(
    scenes: Sequence[Scene], rng: random.Random, n_sources: int = 6
) -> SourcedQuestion | None:
    """A question about one of the scenes with sources from them all; None if few draws found none.

    At least four sources: the gold one, one of the right place without what is asked for, and two
    of other places, one of which has it.
    """
    for _ in range(_DRAWS):
        gold = rng.choice(scenes)
        place, *others = rng.sample(PLACES, 3)
        asked = _ASKING[rng.choice(CATEGORIES)](gold, place, rng)
        if asked is None:
            continue
        sources = _sources(scenes, gold, asked, (place, *others), rng, n_sources)
        if sources:
            rng.shuffle(sources)
            return SourcedQuestion(
                asked.category, asked.text, tuple(sources), asked.answer, asked.sentence, place
            )
    return None


def _sources(
    scenes: Sequence[Scene],
    gold: Scene,
    asked: _Asked,
    places: tuple[str, ...],
    rng: random.Random,
    number: int,
) -> list[Source]:
    """The gold source and distractors; empty where the scenes do not offer them."""
    right, *wrong = places
    by_text = rng.random() < _TEXT_SHARE
    # The first distractor sounds like the gold source: only what it shows tells them apart.
    plan = [(right, False, by_text), (rng.choice(wrong), True, by_text)]
    plan.append((rng.choice(wrong), False, rng.random() < 0.5))
    while len(plan) < number - 1:
        place, has = rng.choice(((right, False), (rng.choice(wrong), rng.random() < 0.6)))
        plan.append((place, has, rng.random() < _TEXT_SHARE))
    sources = [_source(gold, right, asked.noun, rng, by_text=by_text, is_gold=True)]
    for place, has, as_text in plan:
        shown = _scene_that(scenes, asked.noun, rng, has=has)
        if shown is None:
            return []
        sources.append(_source(shown, place, asked.noun, rng, by_text=as_text, is_gold=False))
    return sources


def _scene_that(
    scenes: Sequence[Scene], noun: Description, rng: random.Random, *, has: bool
) -> Scene | None:
    for _ in range(_TRIES):
        shown = rng.choice(scenes)
        if bool(noun.named(shown.objects)) == has:
            return shown
    return None


def _source(
    shown: Scene,
    place: str,
    noun: Description,
    rng: random.Random,
    *,
    by_text: bool,
    is_gold: bool,
) -> Source:
    shows = bool(noun.named(shown.objects))
    if not by_text:
        return Source(rng.choice(_CAPTIONS).format(place=place), shown, is_gold, shows)
    told = [one for one in shown.objects if noun.fits(one)]
    rest = [one for one in shown.objects if not noun.fits(one)]
    # Enough of the others that a text's length tells nothing about what was asked for.
    told += rng.sample(rest, min(len(rest), max(0, rng.randint(2, 3) - len(told))))
    rng.shuffle(told)
    return Source(
        f"the {rng.choice(_PHOTOS)} from the {place} shows {_listed(told)}.", None, is_gold, shows
    )


def _listed(objects: list[SceneObject]) -> str:
    nouns = [described(one, ATTRIBUTES).noun for one in objects]
    items = [f"{article(noun)} {noun}" for noun in nouns]
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))


def _where(place: str, rng: random.Random) -> str:
    return f"in the {rng.choice(_PHOTOS)} from the {place}"


def _color(scene: Scene, place: str, rng: random.Random) -> _Asked | None:
    """As in "what color is the star in the photo from the island?"."""
    one = _lone(scene, rng, "shape")
    if one is None:
        return None
    where, noun = _where(place, rng), Description(shape=one.shape)
    return _Asked(
        "color",
        f"what color is the {one.shape} {where}?",
        noun,
        one.color,
        f"the {one.shape} {where} is {one.color}.",
    )


def _shape(scene: Scene, place: str, rng: random.Random) -> _Asked | None:
    """As in "what shape is the red object in the photo from the island?"."""
    one = _lone(scene, rng, "color")
    if one is None:
        return None
    where, noun = _where(place, rng), Description(color=one.color)
    return _Asked(
        "shape",
        f"what shape is the {one.color} object {where}?",
        noun,
        one.shape,
        f"the {one.color} object {where} is {article(one.shape)} {one.shape}.",
    )


def _number(scene: Scene, place: str, rng: random.Random) -> _Asked | None:
    """As in "how many stars are in the photo from the island?"."""
    shape = rng.choice(scene.objects).shape
    noun = Description(shape=shape)
    number = len(noun.named(scene.objects))
    if number == 1 and rng.random() < 0.6:  # else "1" would nearly always be right
        return None
    where, told = _where(place, rng), shape if number == 1 else PLURALS[shape]
    return _Asked(
        "number",
        f"how many {PLURALS[shape]} are {where}?",
        noun,
        NUMBERS[number],
        f"there {'is' if number == 1 else 'are'} {NUMBERS[number]} {told} {where}.",
    )


def _yes_no(scene: Scene, place: str, rng: random.Random) -> _Asked | None:
    """As in "is the star in the photo from the island large?"."""
    one = _lone(scene, rng, "shape")
    if one is None:
        return None
    where, noun = _where(place, rng), Description(shape=one.shape)
    asked = rng.choice(("small", "large"))
    answer = "yes" if one.size == asked else "no"
    return _Asked(
        "YesNo",
        f"is the {one.shape} {where} {asked}?",
        noun,
        answer,
        f"{answer}, the {one.shape} {where} is {one.size}.",
    )


def _choose(scene: Scene, place: str, rng: random.Random) -> _Asked | None:
    """As in "is the star in the photo from the island red or blue?"."""
    one = _lone(scene, rng, "shape")
    if one is None:
        return None
    where, noun = _where(place, rng), Description(shape=one.shape)
    offered = [one.color, rng.choice([color for color in COLORS if color != one.color])]
    rng.shuffle(offered)
    return _Asked(
        "choose",
        f"is the {one.shape} {where} {offered[0]} or {offered[1]}?",
        noun,
        one.color,
        f"the {one.shape} {where} is {one.color}.",
    )


def _lone(scene: Scene, rng: random.Random, attribute: str) -> SceneObject | None:
    """An object whose color or shape no other one has."""
    values = [getattr(one, attribute) for one in scene.objects]
    alone = [one for one in scene.objects if values.count(getattr(one, attribute)) == 1]
    return rng.choice(alone) if alone else None


_ASKING: dict[str, Callable[[Scene, str, random.Random], _Asked | None]] = {
    "color": _color,
    "shape": _shape,
    "number": _number,
    "YesNo": _yes_no,
    "choose": _choose,
}
_DRAWS = 8
_TRIES = 200
_TEXT_SHARE = 0.4
_PHOTOS = ("photo", "picture")
_CAPTIONS = (
    "photo from the {place}",
    "a photo taken in the {place}",
    "the {place}, a photo",
    "picture from the {place}",
)

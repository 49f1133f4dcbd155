"""A slow reader of questions with sources: it parses the question and every source.

It knows the sentences, not the generator. A picture counts as what it shows.
"""

import re
from typing import NamedTuple

from tests.datasets.scenes.oracle import SINGULAR, DoubtError
from vl_core.datasets.scenes import COLORS, SHAPES, SIZES

PLACE = r"(?:photo|picture) from the (?P<place>[a-z]+)"
CAPTIONS = (PLACE, r"a photo taken in the (?P<place>[a-z]+)", r"the (?P<place>[a-z]+), a photo")


class Shown(NamedTuple):
    """What can be said of an object."""

    size: str
    color: str
    shape: str


class Read(NamedTuple):
    """A source: what it is of, and what it shows."""

    place: str
    objects: tuple[Shown, ...]


def source(one):
    """A source by its caption and picture, or by its text."""
    if one.scene is None:
        found = re.fullmatch(rf"the {PLACE} shows (?P<list>.+)\.", one.text)
        return Read(found["place"], tuple(map(item, re.split(", | and ", found["list"]))))
    (place,) = {
        found["place"] for pattern in CAPTIONS if (found := re.fullmatch(pattern, one.text))
    }
    return Read(
        place, tuple(Shown(item.size, item.color, item.shape) for item in one.scene.objects)
    )


def item(words):
    """An object of a text's list: "a large red star"."""
    shown = Shown(*re.fullmatch(r"an? ([a-z]+) ([a-z]+) ([a-z]+)", words).groups())
    if shown.size not in SIZES or shown.color not in COLORS or shown.shape not in SHAPES:
        raise DoubtError(f"no object: {words!r}")
    return shown


def fits(shown, noun):
    """Whether an object is what a question calls "star", "stars" or "red object"."""
    return all(word == "object" or SINGULAR.get(word, word) in shown for word in noun.split())


def color(_found, one):
    """The color that is asked for."""
    return one.color


def shape(_found, one):
    """The shape that is asked for."""
    return one.shape


def has_size(found, one):
    """Whether it is as large as asked."""
    return "yes" if one.size == found["size"] else "no"


def chosen(found, one):
    """The color of the two on offer."""
    (value,) = {found["first"], found["second"]} & {one.color}
    return value


WHERE = rf"in the {PLACE}"
GRAMMAR = {
    "color": (rf"what color is the (?P<noun>[a-z]+) {WHERE}\?", color),
    "shape": (rf"what shape is the (?P<noun>[a-z]+ object) {WHERE}\?", shape),
    "YesNo": (rf"is the (?P<noun>[a-z]+) {WHERE} (?P<size>small|large)\?", has_size),
    "choose": (
        rf"is the (?P<noun>[a-z]+) {WHERE} (?P<first>[a-z]+) or (?P<second>[a-z]+)\?",
        chosen,
    ),
    "number": (rf"how many (?P<noun>[a-z]+) are {WHERE}\?", None),
}


class Asked(NamedTuple):
    """What a question asks: its category, place and noun, and how to read its answer."""

    category: str
    place: str
    noun: str
    found: re.Match


def question(text):
    """The only reading of a question."""
    (asked,) = (
        Asked(category, found["place"], found["noun"], found)
        for category, (pattern, _) in GRAMMAR.items()
        if (found := re.fullmatch(pattern, text)) and is_offer(category, found)
    )
    return asked


def is_offer(category, found):
    """Whether what is asked makes sense: two different colors are on offer, and nothing else."""
    if category != "choose":
        return True
    return {found["first"], found["second"]} <= set(COLORS) and found["first"] != found["second"]


def answer(asked, read):
    """The answer that a source gives, whatever place it is of."""
    named = [one for one in read.objects if fits(one, asked.noun)]
    if asked.category == "number":
        return str(len(named))
    if len(named) != 1:
        raise DoubtError(f"{len(named)} objects, not one")
    return GRAMMAR[asked.category][1](asked.found, named[0])

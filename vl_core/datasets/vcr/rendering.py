"""From words and tags to a text for reading, and which of its characters name which object."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from vl_core.datasets.vcr.reading import Words

TagStyle = Literal["number", "name", "class", "special"]
"""What a tag for an object becomes in a text; numbers are those of VCR's own `objects`.

number: "[1]" for the first one, as the paper's figures and the embedded model have it.
name: a person by a first name that tells no gender, the first person "Casey"; others by class.
class: "person 1" for the first of several of a class, "the dog" for the only one.
special: "[PERSON_0]" for the first object if that is a person, at most 80, as in VL-InterpreT's
own model; others by class.
"""

PERSON = "person"
# Zellers et al. 2019 use these, one of them twice.
NAMES = (
    *("Casey", "Riley", "Jessie", "Jackie", "Avery", "Jaime", "Peyton"),
    *("Kerry", "Jody", "Kendall", "Skyler", "Frankie", "Pat", "Quinn"),
)
_LAST_SPECIAL = 80
# COCO's class names, which VCR writes as one word.
_APART = {
    one.replace(" ", ""): one
    for one in (
        *("traffic light", "fire hydrant", "stop sign", "parking meter", "sports ball"),
        *("baseball bat", "baseball glove", "tennis racket", "wine glass", "hot dog"),
        *("potted plant", "dining table", "cell phone", "teddy bear", "hair drier"),
    )
}
# VCR parts marks and endings from the word that they belong to.
_CLINGING = re.compile(r"[,.?!;:)\]}%]+|''|n['’]t|['’](s|m|d|re|ve|ll)", re.IGNORECASE)
_HOLDING = re.compile(r"[(\[{$#]|``")


class Mention(NamedTuple):
    """The characters of a text, first and one past the last, that name an object by its number."""

    start: int
    end: int
    number: int


class Said(NamedTuple):
    """A text for reading, and what in it names objects."""

    text: str
    mentions: tuple[Mention, ...]


def called(objects: Sequence[str], style: TagStyle) -> tuple[str, ...]:
    """What each object is called; objects: their classes in VCR's order."""
    classes = [_APART.get(one, one) for one in objects]
    return tuple(_ways(classes, style))


def _ways(classes: Sequence[str], style: TagStyle) -> Iterator[str]:
    total, so_far = Counter(classes), Counter[str]()
    for number, kind in enumerate(classes):
        so_far[kind] += 1
        if style == "number":
            yield f"[{number + 1}]"
        elif style == "class":
            yield f"{kind} {so_far[kind]}" if total[kind] > 1 else f"the {kind}"
        elif kind != PERSON:
            yield kind
        elif style == "special":
            yield f"[PERSON_{min(number, _LAST_SPECIAL)}]"
        else:
            yield _name(so_far[kind] - 1)


def _name(person: int) -> str:
    """The first name of this person, counted from 0; a second round is told apart by a number."""
    round_, place = divmod(person, len(NAMES))
    return f"{NAMES[place]} {round_ + 1}" if round_ else NAMES[place]


def said(words: Words, names: Sequence[str]) -> Said:
    """The words as one text; names: what each object is called.

    Several objects of one tag are joined by "and"; marks and endings stand at their word.
    """
    text, mentions = "", []
    is_parted, is_quoted = False, False
    for word, number in _pieces(words, names):
        is_quote = word == '"'
        clings = (is_quote and is_quoted) or _CLINGING.fullmatch(word)
        text += " " if is_parted and not clings else ""
        if number is not None:
            mentions.append(Mention(len(text), len(text) + len(word), number))
        text += word
        is_quoted = is_quoted != is_quote
        is_parted = not ((is_quote and is_quoted) or _HOLDING.fullmatch(word))
    return Said(text, tuple(mentions))


def _pieces(words: Words, names: Sequence[str]) -> Iterator[tuple[str, int | None]]:
    """Each word, and each name with the number of the object that it names."""
    for word in words:
        if isinstance(word, str):
            yield word, None
            continue
        for place, number in enumerate(word):
            if place:
                yield "and", None
            yield names[number], number

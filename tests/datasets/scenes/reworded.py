"""A slow reader of questions in other words: plain words first, then sentences of its own grammar.

It takes from the generator neither its synonyms nor its sentences.
"""

import re

from tests.datasets.scenes import oracle
from tests.datasets.scenes.oracle import RELATION, DoubtError

MEANINGS = {
    "grey": "gray",
    "violet": "purple",
    "turquoise": "cyan",
    "disc": "circle",
    "box": "square",
    "rhombus": "diamond",
    "plus": "cross",
    "crescent": "moon",
    "little": "small",
    "tiny": "small",
    "big": "large",
    "huge": "large",
    "thing": "object",
    "item": "object",
    "image": "picture",
    "scene": "picture",
    "furthest left": "leftmost",
    "furthest right": "rightmost",
    "topmost": "highest",
    "bottommost": "lowest",
    "bigger": "larger",
}
PLURALS = {
    "discs": "circles",
    "boxes": "squares",
    "rhombuses": "diamonds",
    "pluses": "crosses",
    "crescents": "moons",
    "things": "objects",
    "items": "objects",
}
RELATIONS = {
    "further left than": "left of",
    "further right than": "right of",
    "on the left of": "left of",
    "on the right of": "right of",
    "to the left side of": "left of",
    "to the right side of": "right of",
    "higher than": "above",
    "lower than": "below",
    "over": "above",
    "under": "below",
}


PLAIN = RELATIONS | PLURALS | MEANINGS
OTHER_WORDS = re.compile(rf"\b({'|'.join(sorted(PLAIN, key=len, reverse=True))})\b")
ARTICLE = re.compile(r"\ban? (?=([a-z]))")


def plain(text):
    """The text in the words that the oracle knows."""
    text = OTHER_WORDS.sub(lambda found: PLAIN[found[1]], text)
    return ARTICLE.sub(lambda found: "an " if found[1] in "aeiou" else "a ", text)


def singular(noun):
    """A noun phrase of one object: "red stars" as "red star"."""
    *first, last = noun.split()
    return " ".join([*first, oracle.SINGULAR.get(last, last)])


ATTRIBUTE = "(?P<attribute>color|shape|size)"
SUBJECT = "the (?P<subject>.+)"
SIDES = "(?P<sides>left or right|top or bottom)"
PAIR = "the (?P<one>.+?) {} the (?P<other>.+?)"
RELATED = PAIR.format(f"(?P<relation>{RELATION})")
IS_RELATED = PAIR.format(f"is (?P<relation>{RELATION})")
IS_THAN = PAIR.format("is (?P<word>larger|smaller) than")
ALIKE = "(?P<attribute>color|shape)"


def size(scene, found):
    """Small or large."""
    return oracle.subject(scene, found["subject"]).size


def exists(scene, found):
    """Whether any object fits, said of one or of several."""
    return "yes" if oracle.all_named(scene, singular(found["subject"])) else "no"


def half_of_two(scene, found):
    """The half of the canvas, where the text names the two apart."""
    sides = f"{found['first']} or {found['second']}"
    return oracle.half(scene, {"subject": found["subject"], "sides": sides})


GRAMMAR = {
    rf"tell me the {ATTRIBUTE} of {SUBJECT}\.": oracle.attribute,
    rf"tell me what {ATTRIBUTE} {SUBJECT} has\.": oracle.attribute,
    rf"which {ATTRIBUTE} is {SUBJECT}\?": oracle.attribute,
    rf"{SUBJECT} has which {ATTRIBUTE}\?": oracle.attribute,
    rf"of which {ATTRIBUTE} is {SUBJECT}\?": oracle.attribute,
    rf"can you tell what {ATTRIBUTE} {SUBJECT} has\?": oracle.attribute,
    rf"how large is {SUBJECT}\?": size,
    rf"is {SUBJECT} small or large\?": size,
    rf"on which side is {SUBJECT}, {SIDES}\?": oracle.half,
    rf"is {SUBJECT} more to the (?P<first>\w+) or to the (?P<second>\w+)\?": half_of_two,
    rf"where is {SUBJECT}, {SIDES}\?": oracle.half,
    rf"{SUBJECT} is on which side, {SIDES}\?": oracle.half,
    rf"{SIDES}, where is {SUBJECT}\?": oracle.half,
    r"(can you see|does the picture show) an? (?P<subject>.+)\?": exists,
    r"is an? (?P<subject>.+) there\?": exists,
    r"(are there|do you see) any (?P<subject>.+)\?": exists,
    r"is it true that there is an? (?P<subject>.+)\?": exists,
    r"any (?P<subject>.+) in the picture\?": exists,
    r"count the (?P<subject>.+)\.": oracle.number,
    r"tell me how many (?P<subject>.+) there are\.": oracle.number,
    r"how many (?P<subject>.+) (can you see|are in the picture)\?": oracle.number,
    r"tell me the number of (?P<subject>.+)\.": oracle.number,
    r"the picture has how many (?P<subject>.+)\?": oracle.number,
    rf"can you see {RELATED}\?": oracle.verified,
    rf"does {PAIR.format(f'lie (?P<relation>{RELATION})')}\?": oracle.verified,
    rf"(is it true that|do you see that) {IS_RELATED}\?": oracle.verified,
    rf"{IS_RELATED}, true\?": oracle.verified,
    rf"(is it true|can you see) that {IS_THAN}\?": oracle.compared,
    r"compared to the (?P<other>.+), is the (?P<one>.+) (?P<word>larger|smaller)\?": (
        oracle.compared
    ),
    r"compared to the (?P<other>.+), the (?P<one>.+) is (?P<word>larger|smaller), true\?": (
        oracle.compared
    ),
    rf"{IS_THAN}, true\?": oracle.compared,
    rf"do {PAIR.format('and')} share the same {ALIKE}\?": oracle.alike,
    rf"is it true that {PAIR.format('and')} have the same {ALIKE}\?": oracle.alike,
    rf"is the {ALIKE} of {PAIR.format('the same as that of')}\?": oracle.alike,
    rf"have {PAIR.format('and')} the same {ALIKE}\?": oracle.alike,
    rf"{PAIR.format('and')} have the same {ALIKE}, true\?": oracle.alike,
}


def answer(scene, text):
    """The answer to a question in other words; raises DoubtError where it is open."""
    said = plain(text)
    readings = [
        read(scene, found)
        for pattern, read in GRAMMAR.items()
        if (found := re.fullmatch(pattern, said))
    ]
    if len(readings) != 1:
        raise DoubtError(f"{len(readings)} readings of {said!r}, which says {text!r}")
    return readings[0]

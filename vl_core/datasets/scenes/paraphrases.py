"""The same questions in other words: other sentences, synonyms, plurals.

`question` asks in a few plain templates. Here a question is turned into one that means the same;
its answer and its objects stay, and its phrases are found again.
"""

import random
import re
from dataclasses import replace

from vl_core.datasets.scenes.texts import Question, composed
from vl_core.datasets.scenes.words import PLURALS

SYNONYMS = {
    "gray": ("grey",),
    "purple": ("violet",),
    "cyan": ("turquoise",),
    "circle": ("disc",),
    "square": ("box",),
    "diamond": ("rhombus",),
    "cross": ("plus",),
    "moon": ("crescent",),
    "circles": ("discs",),
    "squares": ("boxes",),
    "diamonds": ("rhombuses",),
    "crosses": ("pluses",),
    "moons": ("crescents",),
    "small": ("little", "tiny"),
    "large": ("big", "huge"),
    "object": ("thing", "item"),
    "objects": ("things", "items"),
    "picture": ("image", "scene"),
    "leftmost": ("furthest left",),
    "rightmost": ("furthest right",),
    "highest": ("topmost",),
    "lowest": ("bottommost",),
    "bigger": ("larger",),
}
_SYNONYM_SHARE = 0.3  # of the words that have one

_RELATIONS = {
    "to the left of": ("on the left of", "to the left side of"),
    "to the right of": ("on the right of", "to the right side of"),
    "left of": ("on the left of", "further left than"),
    "right of": ("on the right of", "further right than"),
    "above": ("over", "higher than"),
    "below": ("under", "lower than"),
}
_RELATION_SHARE = 0.4

# For each way in which questions are asked, others: those that training sees, and those that it
# never does. SUBJECT, ONE, OTHER and so on are what the pattern finds.
_ATTRIBUTE = (
    (
        "tell me the {kind} of the {subject}.",
        "tell me what {kind} the {subject} has.",
        "which {kind} is the {subject}?",
        "the {subject} has which {kind}?",
    ),
    ("of which {kind} is the {subject}?", "can you tell what {kind} the {subject} has?"),
)
_WAYS: tuple[tuple[str, tuple[tuple[str, ...], tuple[str, ...]]], ...] = (
    (r"what (?P<kind>color|shape) is the (?P<subject>.+)\?", _ATTRIBUTE),
    (r"what is the (?P<kind>color|shape) of the (?P<subject>.+)\?", _ATTRIBUTE),
    (r"which (?P<kind>color|shape) does the (?P<subject>.+) have\?", _ATTRIBUTE),
    (
        r"(?:how big is|what size is|what is the size of) the (?P<subject>.+)\?",
        (
            (
                "tell me the size of the {subject}.",
                "which size is the {subject}?",
                "how large is the {subject}?",
                "is the {subject} small or large?",
            ),
            ("of which size is the {subject}?", "can you tell what size the {subject} has?"),
        ),
    ),
    (
        (
            r"(?:is|which half is) the (?P<subject>.+?) (?:on|at|in)\b.*(?P<one>left|top) or "
            r"(?P<other>right|bottom).*\?"
        ),
        (
            (
                "on which side is the {subject}, {one} or {other}?",
                "is the {subject} more to the {one} or to the {other}?",
                "where is the {subject}, {one} or {other}?",
            ),
            (
                "the {subject} is on which side, {one} or {other}?",
                "{one} or {other}, where is the {subject}?",
            ),
        ),
    ),
    (
        (
            r"(?:is there|do you see|does the picture have) (?P<article>an?) "
            r"(?P<subject>[^ ]+(?: [^ ]+)*)\?"
        ),
        (
            (
                "can you see {article} {subject}?",
                "does the picture show {article} {subject}?",
                "is {article} {subject} there?",
                "are there any {plural}?",
                "do you see any {plural}?",
            ),
            ("is it true that there is {article} {subject}?", "any {plural} in the picture?"),
        ),
    ),
    (
        (
            r"(?:how many (?P<a>.+) (?:are there|do you see|does the picture have)|"
            r"what is the number of (?P<b>.+))\?"
        ),
        (
            (
                "count the {subject}.",
                "tell me how many {subject} there are.",
                "how many {subject} can you see?",
                "how many {subject} are in the picture?",
            ),
            ("tell me the number of {subject}.", "the picture has how many {subject}?"),
        ),
    ),
    (
        (
            r"(?:is|do you see|would you say) the (?P<one>.+?) (?:is )?"
            r"(?P<relation>to the left of|to the right of|left of|right of|above|below) "
            r"the (?P<other>.+)\?"
        ),
        (
            (
                "can you see the {one} {relation} the {other}?",
                "is it true that the {one} is {relation} the {other}?",
                "does the {one} lie {relation} the {other}?",
            ),
            (
                "do you see that the {one} is {relation} the {other}?",
                "the {one} is {relation} the {other}, true?",
            ),
        ),
    ),
    (
        (
            r"(?:is|does|would you say) the (?P<one>.+?) (?:is |look )?"
            r"(?P<word>larger|bigger|smaller) than the (?P<other>.+)\?"
        ),
        (
            (
                "is it true that the {one} is {word} than the {other}?",
                "can you see that the {one} is {word} than the {other}?",
                "compared to the {other}, is the {one} {word}?",
            ),
            (
                "compared to the {other}, the {one} is {word}, true?",
                "the {one} is {word} than the {other}, true?",
            ),
        ),
    ),
    (
        (
            r"(?:do|are|is) the (?P<one>.+?) (?:and|the same (?P<kind1>color|shape) as) the "
            r"(?P<other>.+?)(?: have the same (?P<kind2>color|shape)|"
            r" the same (?P<kind3>color|shape))?\?"
        ),
        (
            (
                "do the {one} and the {other} share the same {kind}?",
                "is it true that the {one} and the {other} have the same {kind}?",
                "is the {kind} of the {one} the same as that of the {other}?",
            ),
            (
                "the {one} and the {other} have the same {kind}, true?",
                "have the {one} and the {other} the same {kind}?",
            ),
        ),
    ),
)
_SLOT = re.compile(r"<(\d)>")


def paraphrased(
    asked: Question, rng: random.Random, *, unseen: bool = False, synonyms: bool = True
) -> Question:
    """The question in another sentence that asks the same.

    unseen: take a sentence that the embedded model was never trained on, of words that it was.
    synonyms: exchange some words as well.
    """
    frame, nouns = _frame(asked)
    sentence, plurals = _sentence(frame, rng, unseen=unseen)
    nouns = [_plural(noun) if place in plurals else noun for place, noun in enumerate(nouns)]
    if synonyms:
        sentence = _with_synonyms(_other_relation(sentence, rng), rng)
        nouns = [_with_synonyms(noun, rng) for noun in nouns]
    return _filled(asked, _with_article(sentence, nouns), nouns)


def _frame(asked: Question) -> tuple[str, list[str]]:
    """The text with a numbered slot, as in "<0>", for each of its phrases, and the phrases."""
    text, nouns, end = "", [], 0
    for number, phrase in enumerate(asked.phrases):
        text += f"{asked.text[end : phrase.start]}<{number}>"
        nouns.append(asked.text[phrase.start : phrase.end])
        end = phrase.end
    return text + asked.text[end:], nouns


def _sentence(frame: str, rng: random.Random, *, unseen: bool) -> tuple[str, set[int]]:
    """Another sentence with the same slots, and which of them it wants in the plural."""
    for pattern, ways in _WAYS:
        found = re.fullmatch(pattern, frame)
        if found:
            way = rng.choice(ways[unseen])
            parts = {name: value for name, value in found.groupdict().items() if value}
            parts.setdefault("subject", parts.get("a", parts.get("b", "")))
            parts.setdefault("plural", parts["subject"])
            kinds = [value for name, value in parts.items() if name.startswith("kind")]
            parts.setdefault("kind", "".join(kinds[:1]))
            in_plural = {int(slot) for slot in _SLOT.findall(parts["plural"])}
            return way.format(**parts), in_plural if "{plural}" in way else set()
    raise ValueError(f"no paraphrase is known for questions like {frame!r}")


def _other_relation(sentence: str, rng: random.Random) -> str:
    """The sentence with its relation, if it has one, sometimes worded otherwise."""
    for relation, others in _RELATIONS.items():
        if re.search(rf"\b{relation}\b", sentence):
            if rng.random() >= _RELATION_SHARE:
                return sentence
            return re.sub(rf"\b{relation}\b", rng.choice(others), sentence, count=1)
    return sentence


def _with_synonyms(text: str, rng: random.Random) -> str:
    words = re.split(r"\b", text)
    return "".join(
        rng.choice(SYNONYMS[word]) if word in SYNONYMS and rng.random() < _SYNONYM_SHARE else word
        for word in words
    )


def _plural(noun: str) -> str:
    *first, last = noun.split(" ")
    return " ".join([*first, PLURALS.get(last, f"{last}s")])


def _with_article(sentence: str, nouns: list[str]) -> str:
    """The indefinite article that suits what follows it."""

    def fitted(found: re.Match[str]) -> str:
        follows = nouns[int(found[1])]
        return f"{'an' if follows[0] in 'aeiou' else 'a'} <{found[1]}>"

    return re.sub(r"\ban? <(\d)>", fitted, sentence)


def _filled(asked: Question, sentence: str, nouns: list[str]) -> Question:
    """The question with this sentence, its slots filled and its phrases where they now stand."""
    parts = {
        str(number): (noun, phrase.objects)
        for number, (noun, phrase) in enumerate(zip(nouns, asked.phrases, strict=True))
    }
    text, phrases = composed(_SLOT.sub(r"{\1}", sentence), **parts)
    return replace(asked, text=text, phrases=tuple(sorted(phrases, key=lambda one: one.start)))

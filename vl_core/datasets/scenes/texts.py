"""Texts that remember which objects their words name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrase:
    """Characters of a text (start, end) and the indices of the objects they name, perhaps none."""

    start: int
    end: int
    objects: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, the answer in one word, and the objects (by index) that it depends on."""

    type: str
    text: str
    answer: str
    phrases: tuple[Phrase, ...]
    focus: tuple[int, ...]


def composed(template: str, **parts: tuple[str, tuple[int, ...]]) -> tuple[str, tuple[Phrase, ...]]:
    """A template with its names in braces replaced by phrases, and these in the order of the text.

    `composed("is the {one} red?", one=("star", (2,)))` gives "is the star red?" and the characters
    7 to 11 for object 2.
    """
    text, phrases = "", []
    for piece in template.split("{"):
        name, brace, rest = piece.partition("}")
        if not brace:
            text += piece
            continue
        noun, objects = parts[name]
        phrases.append(Phrase(len(text), len(text) + len(noun), objects))
        text += noun + rest
    return text, tuple(phrases)


def article(noun: str) -> str:
    """The indefinite article of a noun phrase."""
    return "an" if noun[0] in "aeiou" else "a"

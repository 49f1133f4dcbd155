"""What a model answers, and when two answers are the same: a plain comparison, word for word.

The comparison knows no meaning: "couch" is not "sofa", and "two" is not "2". What is left out of
account is what is written in more than one way: upper case, punctuation, articles.
"""

import re
import unicodedata
from dataclasses import dataclass

_ARTICLES = {"a", "an", "the"}
_APOSTROPHES = re.compile("['\N{RIGHT SINGLE QUOTATION MARK}\N{MODIFIER LETTER APOSTROPHE}]")
_MINUS = "-\N{MINUS SIGN}"


@dataclass(frozen=True)
class Answer:
    """What a model says to a question: the likeliest of its list, or the text it generates.

    is_cut_off: whether a generated text ends only because no more tokens were allowed.
    """

    text: str
    is_cut_off: bool = False


def is_same(one: str, other: str) -> bool:
    """Whether two answers have the same words in the same order, as `words` has them."""
    return words(one) == words(other)


def words(answer: str) -> tuple[str, ...]:
    """The words of an answer in lower case, without punctuation and English articles.

    A point or comma within a number and the sign before it stay, apostrophes part no words, other
    punctuation does. Of an answer that is nothing else, articles or punctuation are its words.
    """
    lowered = answer.casefold().strip()
    text = _APOSTROPHES.sub("", lowered)
    found = "".join(_read(text, place) for place in range(len(text))).split()
    without = [word for word in found if word not in _ARTICLES]
    return tuple(without or found or [lowered])


def _read(text: str, place: int) -> str:
    """What a character counts as: a blank, or itself."""
    character = text[place]
    before, after = text[:place][-1:], text[place + 1 :][:1]
    if character in _MINUS:
        return "-" if after.isdecimal() and not before.isalnum() else " "
    if character in ".,":
        return character if before.isdecimal() and after.isdecimal() else " "
    return " " if unicodedata.category(character).startswith("P") else character

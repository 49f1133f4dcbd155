"""One question of WebQA's JSON, with the sources among which those that answer it are sought."""

import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vl_core.datasets.quoting import is_text, quoted
from vl_core.errors import DatasetError

JSON = Mapping[str, Any]

NOT_TOLD = "TBD"  # WebQA's own word where an answer or its key words are kept back
_LABELED = (("img_posFacts", "txt_posFacts"), ("img_negFacts", "txt_negFacts"))
_POOLED = (("img_Facts", "txt_Facts"),)


@dataclass(frozen=True)
class Source:
    """What may answer: a picture, whose number is an int, or a text, whose number is a str.

    text: the picture's caption, or the text with the title of the page that it is from.
    """

    number: int | str
    text: str


@dataclass(frozen=True)
class Question:
    """A question as it is asked, without the double quotes around it.

    sources: each once, in an order that says nothing of what is right. right: the places of those
    that answer; None in the test split, as are answer and key words. answer: the first sentence.
    keywords: what an answer must say, told for questions that pictures answer. category: of the
    seven of WebQA, empty where it is not told.
    """

    guid: str
    text: str
    sources: tuple[Source, ...]
    right: frozenset[int] | None
    answer: str | None
    keywords: str | None
    category: str
    topic: str
    split: str


def question(guid: str, content: bytes) -> Question:
    """The question in this JSON; raises DatasetError, with the Guid, for what is not WebQA's."""
    if not is_text(guid):
        raise DatasetError(f"Question {quoted(guid)} has a name that is no text in Unicode.")
    entry = decoded(guid, content)
    found = _sources(guid, entry)
    random.Random(guid).shuffle(found)  # the file has the right ones first
    is_labeled = _is_labeled(entry)
    right = frozenset(place for place, (_, is_right) in enumerate(found) if is_right)
    return Question(
        guid=guid,
        text=unquoted(_text(guid, entry, "Q")),
        sources=tuple(source for source, _ in found),
        right=right if is_labeled else None,
        answer=_told(_first(guid, entry, "A")) if is_labeled else None,
        keywords=_told(_text(guid, entry, "Keywords_A", "")) if is_labeled else None,
        category=_text(guid, entry, "Qcate", ""),
        topic=_text(guid, entry, "topic", ""),
        split=_text(guid, entry, "split", ""),
    )


def decoded(guid: str, content: bytes) -> JSON:
    """The JSON object of a question; raises DatasetError if it is none."""
    try:
        entry = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"Question {guid} is no JSON ({error}). Download the file again.") from (
            error
        )
    if not isinstance(entry, dict):
        raise DatasetError(
            f"Question {guid} is a JSON {type(entry).__name__}; an object with Q, A and lists of "
            "facts is wanted."
        )
    return entry


def unquoted(text: str) -> str:
    """Without the pair of double quotes that WebQA has around its texts, and blanks beside it."""
    stripped = text.strip()
    if len(stripped) > 1 and stripped.startswith('"') and stripped.endswith('"'):
        return stripped[1:-1].strip()
    return stripped


def _is_labeled(entry: JSON) -> bool:
    return any(entry.get(name) is not None for name in _LABELED[0])


def _told(text: str) -> str | None:
    told = unquoted(text)
    return None if told in {"", NOT_TOLD} else told


def _sources(guid: str, entry: JSON) -> list[tuple[Source, bool]]:
    """Each source once, with whether it is right; one that is listed as both is."""
    kinds = _LABELED if _is_labeled(entry) else _POOLED
    found: dict[int | str, tuple[Source, bool]] = {}
    for is_right, names in zip((True, False), kinds, strict=False):
        for name in names:
            for fact in _facts(guid, entry, name):
                source = (_picture if name.startswith("img") else _snippet)(guid, fact)
                found.setdefault(source.number, (source, is_right))
    if not found:
        raise DatasetError(
            f"Question {guid} has no sources; img_posFacts, img_negFacts, txt_posFacts and "
            "txt_negFacts are wanted, or in the test split img_Facts and txt_Facts."
        )
    return list(found.values())


def _facts(guid: str, entry: JSON, name: str) -> Iterator[JSON]:
    facts = [] if entry.get(name) is None else entry[name]
    if not isinstance(facts, list) or not all(isinstance(fact, dict) for fact in facts):
        raise DatasetError(f"Question {guid}: {name} is not a list of objects, as WebQA has it.")
    yield from facts


def _picture(guid: str, fact: JSON) -> Source:
    number = fact.get("image_id")
    if type(number) is not int or number < 0:
        raise DatasetError(
            f"Question {guid}: a picture has the image_id {quoted(number)}; a whole number "
            "is wanted."
        )
    return Source(number, _text(guid, fact, "caption", "") or _text(guid, fact, "title", ""))


def _snippet(guid: str, fact: JSON) -> Source:
    title, told = _text(guid, fact, "title", "").strip(), _text(guid, fact, "fact")
    # Many texts say what their page is called; twice it would tell nothing more.
    is_said = re.search(rf"(?<!\w){re.escape(title)}(?!\w)", told, re.IGNORECASE)
    text = told if not title or is_said else f"{title}. {told}"
    return Source(_text(guid, fact, "snippet_id"), text)


def _text(guid: str, entry: JSON, name: str, default: str | None = None) -> str:
    """A text; the default, where there is one, if it is missing or null."""
    text = default if entry.get(name) is None else entry[name]
    if not isinstance(text, str):
        came = "is missing" if entry.get(name) is None else f"is {quoted(text)}"
        raise DatasetError(f"Question {guid}: {name} {came}; a text is wanted.")
    if not is_text(text):
        raise DatasetError(f"Question {guid}: {name} is {quoted(text)}, no text in Unicode.")
    return text


def _first(guid: str, entry: JSON, name: str) -> str:
    texts = [] if entry.get(name) is None else entry[name]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DatasetError(f"Question {guid}: {name} is not a list of texts, as WebQA has it.")
    return texts[0] if texts else ""

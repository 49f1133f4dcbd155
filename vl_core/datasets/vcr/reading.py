"""What a line of VCR says, checked; nothing of what gives the right candidate away is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vl_core.datasets.quoting import is_text, quoted
from vl_core.errors import DatasetError, TextError
from vl_core.example import clean_text

Words = tuple[str | tuple[int, ...], ...]
"""Words and tags in their order; a tag holds numbers of objects, counted from 0."""

N_CANDIDATES = 4


@dataclass(frozen=True)
class Entry:
    """One line: a question about a picture with its candidates.

    where: the line, for messages. objects: their classes. picture, metadata: files by their names
    relative to the pictures' folder. right_answer, right_rationale: which candidate is right, from
    0; None where the line does not tell, as in the test split. facts: what else is worth showing.
    """

    name: str
    where: str
    objects: tuple[str, ...]
    picture: str
    metadata: str
    question: Words
    answers: tuple[Words, ...]
    rationales: tuple[Words, ...]
    right_answer: int | None
    right_rationale: int | None
    facts: Mapping[str, str]


def entry(line: Mapping[str, Any], where: str) -> Entry:
    """The line as an entry; raises DatasetError, which begins with `where`, if it is damaged."""
    fields = _Fields(line, where)
    return Entry(
        name=fields.text("annot_id"),
        where=where,
        objects=fields.objects(),
        picture=fields.text("img_fn"),
        metadata=fields.text("metadata_fn"),
        question=fields.question(),
        answers=fields.candidates("answer_choices"),
        rationales=fields.candidates("rationale_choices"),
        right_answer=fields.label("answer_label"),
        right_rationale=fields.label("rationale_label"),
        facts=fields.facts(),
    )


@dataclass(frozen=True)
class _Fields:
    """The fields of a line, each taken out with its own check."""

    line: Mapping[str, Any]
    where: str

    def text(self, name: str) -> str:
        value = self._required(name)
        if not is_text(value) or not value:
            raise self._wrong(name, value, "a text is")
        return value

    def objects(self) -> tuple[str, ...]:
        found = self._list("objects")
        for one in found:
            if not isinstance(one, str):
                raise self._wrong("objects", one, "class names are")
        return tuple(_cleaned(one) or "object" for one in found)

    def question(self) -> Words:
        return self._words("question", self._list("question"))

    def candidates(self, name: str) -> tuple[Words, ...]:
        found = self._list(name)
        if len(found) != N_CANDIDATES:
            raise DatasetError(
                f"{self.where}: {len(found)} {name} came, wanted {N_CANDIDATES}. Correct the line."
            )
        return tuple(self._words(name, one) for one in found)

    def label(self, name: str) -> int | None:
        value = self.line.get(name)
        if value is None:
            return None
        if not _is_number(value) or not 0 <= value < N_CANDIDATES:
            raise self._wrong(name, value, f"a number from 0 to {N_CANDIDATES - 1} is")
        return int(value)

    def facts(self) -> dict[str, str]:
        shown = {"movie": "movie", "answer_likelihood": "answer likelihood"}
        told = {title: self.line.get(name) for name, title in shown.items()}
        texts = {title: _cleaned(said) for title, said in told.items() if isinstance(said, str)}
        return {title: said for title, said in texts.items() if said}

    def _required(self, name: str) -> object:
        if name not in self.line:
            raise DatasetError(
                f"{self.where} has no {name}, which every line of VCR has. Download it again."
            )
        return self.line[name]

    def _list(self, name: str) -> list[Any]:
        value = self._required(name)
        if not isinstance(value, list):
            raise self._wrong(name, value, "a list is")
        return value

    def _words(self, name: str, tokens: object) -> Words:
        if not isinstance(tokens, list):
            raise self._wrong(name, tokens, "a list of words and tags is")
        words = [self._tag(name, one) if isinstance(one, list) else one for one in tokens]
        for word in words:
            if not isinstance(word, str | tuple):
                raise self._wrong(name, word, "words and tags are")
        # A word of blanks or control characters would move all that comes behind it.
        cleaned = (word if isinstance(word, tuple) else _cleaned(word) for word in words)
        found: Words = tuple(word for word in cleaned if word)
        if not found:
            which = "its question" if name == "question" else f"one of its {name}"
            raise DatasetError(f"{self.where}: {which} has no words. Correct the line.")
        return found

    def _tag(self, name: str, numbers: list[Any]) -> tuple[int, ...]:
        known = len(self.line["objects"])
        if not numbers or not all(_is_number(one) and 0 <= one < known for one in numbers):
            raise DatasetError(
                f"{self.where}: {name} names the objects {quoted(numbers)}; the line has {known}, "
                "numbered from 0. Correct the tag."
            )
        return tuple(numbers)

    def _wrong(self, name: str, came: object, wanted: str) -> DatasetError:
        return DatasetError(f"{self.where}: {name} holds {quoted(came)}; {wanted} wanted there.")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _cleaned(text: str) -> str:
    """The text as an example keeps it; empty if there is nothing readable in it."""
    try:
        return clean_text(text)
    except TextError:
        return ""

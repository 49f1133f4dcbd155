"""WebQA as a data set: an item is a question, its options are the sources that may answer it."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vl_core.datasets.items import Asked, Item, Option, placed
from vl_core.datasets.quoting import is_text, quoted, shortened
from vl_core.datasets.webqa import members
from vl_core.datasets.webqa.pictures import OFFSETS, ROWS, opened_pictures
from vl_core.datasets.webqa.questions import JSON, Question, Source, decoded, question
from vl_core.errors import DatasetError, ImageError, TextError
from vl_core.example import Example, joined_parts

LABELED, TEST = "WebQA_train_val.json", "WebQA_test.json"
TASK = "sources"
KEYWORDS = "key words"  # the name of that fact of an item
UNTOLD = "not told"  # the split of a question that does not say it
_MOST_QUESTIONS = 1_000_000
_HEAD_BYTES = 2**16  # holds the first question of any file that was published
_HEAD = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{\s*\"[^\"\\]{1,200}\"\s*:\s*\{")
_LISTS = re.compile(rb'"(?:img|txt)_(?:posFacts|negFacts|Facts)"')


class WebQA:
    """One split of WebQA's questions, in the order of their file.

    Each is asked as "sources": its options are pictures with captions and texts, each to be judged
    by itself, as the authors' filter does. What a model reads is the question and the caption, or
    the text with the title of its page; a picture without a caption has its title. Options are
    shuffled, the same way each time, since the file has the right ones first.

    Questions stay on disk and so do pictures. Without imgs.tsv and imgs.lineidx beside the
    questions, texts can be read and pictures raise DatasetError. So does a picture that is cut
    short: WebQA's maintainers let Pillow fill such ones with gray, a switch for the whole process;
    here no model is shown what the file does not hold (`reading.readable` passes over them and
    counts). Several threads may read at once.
    """

    kind = "WebQA"

    def __init__(self, path: Path, split: str | None = None) -> None:
        """Open the JSON file, or the folder with it, and find this split in it.

        split: "train", "val" or "test"; without one "val" where there are several. Raises
        DatasetError if the files are missing, damaged or without this split.
        """
        self._path = _questions_at(path, split)
        with _reading(self._path) as file:
            index = _Index(file, self._path.name)
        self.split = index.chosen(split)
        self._guids, self._spans = index.questions(self.split)
        self._pictures = opened_pictures(self._path.parent)
        self._counts = index.counts

    @property
    def name(self) -> str:
        """The file and the split."""
        return f"{self._path.name}, {self.split}"

    @property
    def metadata(self) -> Mapping[str, Any]:
        """How many questions each split has and of which categories, and where it is all from."""
        missing = f"{ROWS} or {OFFSETS} is missing"
        return {
            "split": self.split,
            "questions": {split: counts.total() for split, counts in self._counts.items()},
            "categories": {split: dict(counts) for split, counts in self._counts.items()},
            "pictures": missing if self._pictures is None else len(self._pictures),
            "license": "CC0-1.0; each picture has its own, at Wikimedia Commons",
            "source": "github.com/WebQnA/WebQA",
        }

    @property
    def guids(self) -> tuple[str, ...]:
        """The names of all items, without reading them."""
        return self._guids

    @property
    def paths(self) -> list[Path]:
        """The questions, and where their pictures begin, if they are there."""
        offsets = [] if self._pictures is None else [self._path.parent / OFFSETS]
        return [self._path, *offsets]

    def __len__(self) -> int:
        return len(self._guids)

    def __getitem__(self, number: int) -> Item:
        """The question of that number; raises DatasetError if it is damaged."""
        found = self.question(number)
        options = tuple(self._option(found, source) for source in found.sources)
        facts = {"topic": found.topic, "split": found.split, KEYWORDS: found.keywords}
        return Item(
            name=found.guid,
            text=found.text,
            asked=(Asked(TASK, found.text, options, found.right),),
            category=found.category,
            answer=found.answer,
            facts={name: told for name, told in facts.items() if told},
        )

    def __iter__(self) -> Iterator[Item]:
        """All questions; the first damaged one raises DatasetError (see `reading.items`)."""
        return (self[number] for number in range(len(self)))

    def question(self, number: int) -> Question:
        """The same as it stands in the file; its sources are in the order of the options."""
        place = placed(number, len(self))
        start, end = self._spans[place].tolist()
        with _reading(self._path) as file:
            file.seek(start)
            content = file.read(end - start)
        return question(self._guids[place], content)

    def _option(self, asked: Question, source: Source) -> Option:
        return Option(str(source.number), source.text, partial(self._example, asked, source))

    def _example(self, asked: Question, source: Source) -> Example:
        picture = self._content(source.number) if isinstance(source.number, int) else None
        try:
            text, breaks = joined_parts((asked.text, source.text))
            return Example(picture, text, task="source", breaks=breaks)
        except TextError as error:
            raise DatasetError(
                f"Question {asked.guid} or its source {source.number} has no text that can be read."
            ) from error
        except ImageError as error:
            raise ImageError(f"Picture {source.number} of {ROWS}: {error}") from error

    def _content(self, number: int) -> bytes:
        if self._pictures is None:
            raise DatasetError(
                f"Picture {number} cannot be shown: {ROWS} and {OFFSETS} are wanted beside "
                f"{self._path.name}."
            )
        return self._pictures.content(number)


class _Index:
    """Where each question of a file lies, and to which split and category it belongs."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._name = name
        self._splits: list[str] = []
        self._spans: dict[str, tuple[int, int]] = {}
        self.counts: dict[str, Counter[str]] = {}
        for member in members.members(file, name):
            self._add(member)
        if not self._spans:
            raise DatasetError(f"{name} holds no question.")

    def _add(self, member: members.Member) -> None:
        if member.key in self._spans or len(self._spans) == _MOST_QUESTIONS:
            raise DatasetError(
                f"{self._name} has question {quoted(member.key)} twice, or more than "
                f"{_MOST_QUESTIONS:,} questions. Download it again."
            )
        split, category = _labels(member)
        self._splits.append(split)
        self._spans[member.key] = (member.start, member.end)
        self.counts.setdefault(split, Counter())[category] += 1

    def chosen(self, split: str | None) -> str:
        """The split that was asked for, or else the one that is opened first."""
        if split is None:
            return "val" if "val" in self.counts else next(iter(self.counts))
        if split not in self.counts:
            raise DatasetError(
                f"{self._name} has no split {split!r}; it has {shortened(', '.join(self.counts))}."
            )
        return split

    def questions(self, split: str) -> tuple[tuple[str, ...], np.ndarray]:
        """The Guids of a split, and where each question begins and ends."""
        chosen = [
            (guid, span)
            for own, (guid, span) in zip(self._splits, self._spans.items(), strict=True)
            if own == split
        ]
        return tuple(guid for guid, _ in chosen), np.array([span for _, span in chosen], np.int64)


def is_at(path: Path) -> bool:
    """Whether this is WebQA's JSON, under whatever name, or a folder that holds it."""
    try:
        if path.is_dir():
            return any((path / name).is_file() for name in (LABELED, TEST))
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return False
    return bool(_HEAD.match(head) and _LISTS.search(head))


def opened(path: Path, split: str | None = None) -> WebQA:
    """The data set at this path, for validation where it has that split; `WebQA` has all."""
    return WebQA(path, split)


def _questions_at(path: Path, split: str | None) -> Path:
    if not path.is_dir():
        return path
    order = (TEST, LABELED) if split == "test" else (LABELED, TEST)
    for name in order:
        if (path / name).is_file():
            return path / name
    raise DatasetError(f"{path.name} holds neither {LABELED} nor {TEST}. Give a folder with one.")


def _labels(member: members.Member) -> tuple[str, str]:
    """Split and category; of a question that is damaged they are not known."""
    try:
        outline: JSON = decoded(member.key, member.outline)
    except DatasetError:
        outline = {}
    split, category = outline.get("split"), outline.get("Qcate")
    return (
        split if is_text(split) and split else UNTOLD,
        category if is_text(category) and category else UNTOLD,
    )


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    """Opened anew each time, as several threads may read at once."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read: {error.strerror}.") from error

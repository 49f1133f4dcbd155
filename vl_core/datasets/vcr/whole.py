"""The data set: a split's lines as items, each with what is asked of its picture."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

from vl_core.datasets import boxes
from vl_core.datasets.boxes import Size
from vl_core.datasets.items import Asked, Item, Option, placed
from vl_core.datasets.lines import Lines
from vl_core.datasets.quoting import shortened
from vl_core.datasets.storage import Storage, storage
from vl_core.datasets.vcr.places import Places, places
from vl_core.datasets.vcr.reading import Entry, Words, entry
from vl_core.datasets.vcr.rendering import Said, TagStyle, called, said
from vl_core.errors import DatasetError, ImageError
from vl_core.example import Example, Region, joined_parts
from vl_core.pictures import read_picture

SPLITS = ("val", "train", "test")  # of several in a folder, the first of these is opened
PICTURES = ("vcr1images", "vcr1images.zip")
_TELLING = ("answer_choices", "rationale_choices", "metadata_fn")  # what no other data set has
_HEAD_BYTES = 2**16


def is_at(path: Path) -> bool:
    """Whether there is a split of VCR at this path: a file of lines, or a folder with one."""
    try:
        if path.is_dir():
            return any(_is_split(path / f"{split}.jsonl") for split in SPLITS)
        return path.suffix == ".jsonl" and _is_split(path)
    except (OSError, ValueError):
        return False


def _is_split(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return all(f'"{name}"'.encode() in head for name in _TELLING)


def opened(path: Path, split: str | None = None, tags: TagStyle = "number") -> "VCR":
    """The split at this path; raises as `VCR` does."""
    return VCR(path, split=split, tags=tags)


class VCR:
    """A split of VCR by items; the picture is read when an option's example is asked for.

    path: a file of lines, or a folder with one or more. split: which of these; by default val, else
    train, else test. Pictures lie beside it, in the folder vcr1images or in vcr1images.zip. tags:
    what objects are called in texts. Raises DatasetError if there are no lines, no pictures, no
    such split or no such tags.
    """

    kind = "VCR"

    def __init__(self, path: Path, *, split: str | None = None, tags: TagStyle = "number") -> None:
        if tags not in get_args(TagStyle):
            raise DatasetError(
                f"Objects cannot be called by {tags!r}; there are {', '.join(get_args(TagStyle))}."
            )
        file = _file_of(path, split)
        self._tags = tags
        self._lines = Lines(file)
        if not len(self._lines):
            raise DatasetError(f"{file.name} has no lines. Download it again.")
        self._pictures, pictures = _pictures(file)
        folder = file.resolve().parent
        self.name = f"{folder.name}, {file.stem}"
        if tags != "number":  # other texts: what was made of them is not of these
            self.name += f", tags as {tags}"
        self.metadata: dict[str, Any] = {
            "split": file.stem,
            "splits": [split for split in SPLITS if (folder / f"{split}.jsonl").is_file()],
            "pictures": pictures,
            "tags": tags,
        }

    @property
    def paths(self) -> tuple[Path, ...]:
        """The file with the lines."""
        return self._lines.paths

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> Item:
        """The question of that line; raises DatasetError if it or its metadata is damaged."""
        place = placed(number, len(self))
        line = entry(self._lines[place], self._lines.named(place))
        try:
            known = places(self._pictures.read(line.metadata), len(line.objects))
        except DatasetError as error:
            raise DatasetError(f"{line.where}: {error}") from error
        return _Asking(line, known, self._pictures, called(line.objects, self._tags)).item

    def __iter__(self) -> Iterator[Item]:
        """All in order; raises at the first damaged one."""
        return (self[number] for number in range(len(self)))


def _file_of(path: Path, split: str | None) -> Path:
    """The lines at this path, of the wanted split."""
    if not path.is_dir():
        if split not in (None, path.stem):
            raise DatasetError(f"{path.name} is not the split {split}. Give the folder it is in.")
        return path
    if split is None:
        return _first(path)
    file = path / f"{split}.jsonl"
    if split not in SPLITS or not file.is_file():
        there = [one for one in SPLITS if (path / f"{one}.jsonl").is_file()]
        raise DatasetError(f"{path.name} has no split {split}; it has {', '.join(there)}.")
    return file


def _first(folder: Path) -> Path:
    found = [folder / f"{split}.jsonl" for split in SPLITS]
    for path in found:
        if path.is_file():
            return path
    raise DatasetError(
        f"{folder.name} has none of {', '.join(path.name for path in found)}. Give the folder into "
        "which VCR's questions were unpacked."
    )


def _pictures(file: Path) -> tuple[Storage, str]:
    """The pictures beside this file, and what they lie in."""
    for name in PICTURES:
        path = file.parent / name
        if path.exists():
            return storage(path, PICTURES[0]), name
    raise DatasetError(
        f"There is neither {' nor '.join(PICTURES)} beside {file.name}. Put VCR's pictures there."
    )


@dataclass(frozen=True)
class _Asking:
    """What is asked by one line. known: where its objects are. names: what they are called."""

    line: Entry
    known: Places
    pictures: Storage
    names: Sequence[str]

    @property
    def item(self) -> Item:
        """All of it."""
        line = self.line
        right = line.right_answer
        return Item(
            line.name,
            self._said(line.question).text,
            tuple(self._all_asked()),
            answer=None if right is None else self._said(line.answers[right]).text,
            facts=self._facts(),
        )

    def _facts(self) -> dict[str, str]:
        width, height = map(math.ceil, self.known.size)
        told = self._left_out(self.known, (width, height))
        return {"picture": self.line.picture, **self.line.facts, **boxes.fact(told)}

    def _left_out_at(self, size: Size) -> tuple[str, ...]:
        """The boxes that are no place in the picture, which has this size."""
        return () if size is None else self._left_out(self.known.within(size), size)

    def _left_out(self, known: Places, size: Size) -> tuple[str, ...]:
        objects = map(Region, self.names, known.boxes)
        return boxes.left_out(self.line.where, objects, size)

    def _all_asked(self) -> Iterator[Asked]:
        """Q->A, and QA->R given the right answer; where that is not told, given each in turn.

        On the test split a rationale must be chosen for whichever answer turns out to be right.
        """
        line = self.line
        yield self._asked("Q->A", (line.question,), line.answers, line.right_answer)
        if line.right_answer is not None:
            context = line.question, line.answers[line.right_answer]
            yield self._asked("QA->R", context, line.rationales, line.right_rationale)
            return
        for place, answer in enumerate(line.answers):
            name = f"QA->R given answer {place + 1}"
            yield self._asked(name, (line.question, answer), line.rationales, None)

    def _asked(
        self, name: str, context: Sequence[Words], candidates: Sequence[Words], right: int | None
    ) -> Asked:
        before = [self._said(one) for one in context]
        offered = [self._said(one) for one in candidates]
        answer = None if right is None else offered[right].text
        options = tuple(
            Option(
                str(place),
                one.text,
                partial(self._example, (*before, one), answer),
                self._left_out_at,
            )
            for place, one in enumerate(offered)
        )
        text = " ".join(one.text for one in before)
        return Asked(name, text, options, None if right is None else frozenset({right}))

    def _said(self, words: Words) -> Said:
        return said(words, self.names)

    def _example(self, parts: Sequence[Said], answer: str | None) -> Example:
        line = self.line
        try:
            picture = read_picture(self.pictures.read(line.picture))
            known = self.known.within(picture.size)
        except (DatasetError, ImageError) as error:
            raise type(error)(f"{line.where}, {shortened(line.picture)}: {error}") from error
        text, breaks = joined_parts([part.text for part in parts])
        regions = boxes.usable(self._regions(parts, (0, *breaks), known), picture.size)
        return Example(picture, text, regions, answer, task="candidate", breaks=breaks)

    def _regions(
        self, parts: Sequence[Said], starts: Sequence[int], known: Places
    ) -> Iterator[Region]:
        """A region for each mention, in the text's order, then those that nothing names."""
        named = set()
        for part, start in zip(parts, starts, strict=True):
            for first, last, number in part.mentions:
                named.add(number)
                yield self._region(number, known, (start + first, start + last))
        for number in range(len(self.names)):
            if number not in named:
                yield self._region(number, known, None)

    def _region(self, number: int, known: Places, span: tuple[int, int] | None) -> Region:
        box, outlines = known.boxes[number], known.outlines[number]
        return Region(self.names[number], box, span, span is not None, number, outlines)

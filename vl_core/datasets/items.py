"""What every data set offers: items by number, each with what is asked about it.

    for item in datasets.open("vcr1/val.jsonl"):
        for asked in item.asked:                # "Q->A", "QA->R"
            for option in asked.options:        # each of the four candidates
                example = option.example()      # the picture is read here and not before

An item is one entry of the set: a question with its candidates or its sources, or just a picture
and a text. A model is given one option at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from vl_core.datasets.boxes import Size
from vl_core.example import Example
from vl_core.trace import Trace

PLAIN = "question"  # what is asked of an item that has neither candidates nor sources


def _nothing(size: Size) -> tuple[str, ...]:  # noqa: ARG001 nothing, whatever the picture
    return ()


@dataclass(frozen=True)
class Option:
    """One of the examples that belong to a question: with a candidate, with a source, or the only.

    name: what the set calls it (the place of a candidate from 0, the number of a source). title: in
    words, what sets it apart from the others. read: makes the example, which reads the picture.
    left_out_at: which of the set's boxes are no place in a picture of a size, a sentence for each.
    """

    name: str
    title: str
    read: Callable[[], Example]
    left_out_at: Callable[[Size], Sequence[str]] = _nothing

    def example(self) -> Example:
        """What a model is given; raises ImageError or DatasetError if its files cannot be read."""
        return self.read()

    def left_out(self, example: Example) -> Sequence[str]:
        """What the set tells of the picture and this option's example lacks, a sentence for each.

        These are boxes that are no place in the picture; the same ones for all options of an item.
        """
        return self.left_out_at(example.size)


@dataclass(frozen=True)
class Asked:
    """One question about an item, and the options among which is to be chosen.

    name: of the task, as its authors call it ("Q->A", "QA->R", "sources"), or PLAIN. text: the
    question for reading. right: the places of the right options, counted from 0; None where the
    set does not tell.
    """

    name: str
    text: str
    options: tuple[Option, ...]
    right: frozenset[int] | None = None


@dataclass(frozen=True)
class Item:
    """One entry of a data set; cheap to make, as nothing large is read for it.

    name: unique in the set. text: the question, without its candidates. category: what the set
    counts it to, empty if nothing. answer: the right answer in words, where it is told. said: what
    the model said that made the set's own tensors, was_right: whether it was right; None where that
    is not told. facts: whatever else is worth showing, for reading.
    """

    name: str
    text: str
    asked: tuple[Asked, ...]
    category: str = ""
    answer: str | None = None
    said: str | None = None
    was_right: bool | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def example(self) -> Example:
        """The first option of what is asked first: all there is of an item without candidates."""
        return self.asked[0].options[0].example()


@runtime_checkable
class Dataset(Protocol):
    """Items by number from 0, read when they are asked for.

    Several threads may read at once. Raises DatasetError where files are damaged or missing, with
    the entry's name.
    """

    @property
    def name(self) -> str:
        """For reading, without the path: a folder's or a file's own name, and the split."""

    @property
    def kind(self) -> str:
        """What it is: "VCR", "WebQA", "folder", "table", "VL-InterpreT database", ..."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What is known of the whole: splits, counts, what was corrected or skipped, licence."""

    @property
    def paths(self) -> Sequence[Path]:
        """The files that say what the items are, for `fingerprints`; none of a set without any.

        Pictures that these name are not among them.
        """

    def __len__(self) -> int:
        """How many items."""

    def __getitem__(self, number: int) -> Item:
        """The item of that number, also from the end as -1; raises IndexError beyond them."""

    def __iter__(self) -> Iterator[Item]:
        """All items in order."""


@runtime_checkable
class HoldsTraces(Protocol):
    """A data set that keeps what a model did, so that none is needed to look at it."""

    def trace(self, number: int) -> Trace:
        """What was kept of the item of that number."""


def placed(number: int, count: int) -> int:
    """The number from the start, of one that may count from the end; raises IndexError."""
    if not -count <= number < count:
        raise IndexError(f"item {number} of {count}; they are numbered from 0 to {count - 1}")
    return number % count

"""Reading many items or options where some may be damaged: those are passed over and counted.

    skipped: list[Skipped] = []
    for item in items(data, skipped):
        for place, example in readable(item.asked[0], skipped):
            ...

In the end len(skipped) says how many could not be read, and each why. What is left out of an
example that can be used all the same, as a box that is no place in its picture, is no such thing:
it is told of once for all options of an item, in a list of its own.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float64

from vl_core.datasets.items import Asked, Dataset, Item
from vl_core.errors import ImageError, TextError, VLError
from vl_core.example import Example

T = TypeVar("T")
Sentences = dict[str, None]
"""Each once, in their order."""


@dataclass(frozen=True)
class Skipped:
    """An item or an option that could not be read: its name in the set, and why, for reading."""

    name: str
    reason: str


def items(data: Dataset, skipped: list[Skipped]) -> Iterator[Item]:
    """The items that can be read, in order; the others are added to skipped, by their number."""
    for number in range(len(data)):
        try:
            item = data[number]
        except VLError as error:
            skipped.append(Skipped(f"item {number}", str(error)))
        else:
            yield item


def readable(asked: Asked, skipped: list[Skipped]) -> Iterator[tuple[int, Example]]:
    """The options that can be read, each with its place among all; the others go to skipped.

    One picture at a time is held, however many options there are.
    """
    for place, option in enumerate(asked.options):
        try:
            example = option.example()
        except VLError as error:
            skipped.append(Skipped(option.name, str(error)))
        else:
            yield place, example


def scores(
    asked: Asked,
    score: Callable[[Example], float],
    skipped: list[Skipped],
    left_out: Sentences | None = None,
) -> Float64[np.ndarray, "option"]:
    """What a model gives to each option; nan for one that could not be read, by us or by the model.

    score: raises TextError or ImageError for an example that the model cannot read, as
    `Model.score` does; what else it raises is passed on. left_out: gets what the examples lack.
    """
    found = np.full(len(asked.options), np.nan)
    for place, example in readable(asked, skipped):
        _note(asked.options[place].left_out(example), left_out)
        try:
            found[place] = score(example)
        except (TextError, ImageError) as error:
            skipped.append(Skipped(asked.options[place].name, str(error)))
    return found


def answer(
    asked: Asked,
    answer_of: Callable[[Example], T],
    skipped: list[Skipped],
    left_out: Sentences | None = None,
) -> T | None:
    """What a model says to a question without candidates; None if it could not be read.

    answer_of: raises as `Model.answer` does. The rest is as in `scores`.
    """
    for place, example in readable(asked, skipped):
        _note(asked.options[place].left_out(example), left_out)
        try:
            return answer_of(example)
        except (TextError, ImageError) as error:
            skipped.append(Skipped(asked.options[place].name, str(error)))
    return None


def _note(sentences: Iterable[str], left_out: Sentences | None) -> None:
    if left_out is not None:
        left_out.update(dict.fromkeys(sentences))

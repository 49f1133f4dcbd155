"""Let a model choose among candidates or sources, or answer where there are none."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vl_core.command import progress
from vl_core.datasets import reading
from vl_core.datasets.items import PLAIN, Dataset, Item
from vl_core.datasets.scored import Answered, Scored
from vl_core.errors import DatasetError, ModelError

if TYPE_CHECKING:
    from vl_core.model import Model


@dataclass
class Judging:
    """What a model makes of the questions of a set, and what was passed over on the way.

    skipped: items and options that could not be read. left_out: boxes that are no places. is_told:
    whether the set tells the right answer to any question so far; None before any was read.
    n_single: questions with one option alone. n_untold: questions without candidates that were not
    asked, as there is no answer to compare with. unanswered: the items' numbers of those that this
    model does not answer; refusal: why not, in its own words.
    """

    data: Dataset
    model: "Model"
    skipped: list[reading.Skipped] = field(default_factory=list)
    left_out: reading.Sentences = field(default_factory=dict)
    is_told: bool | None = None
    n_single: int = 0
    n_untold: int = 0
    unanswered: list[int] = field(default_factory=list)
    refusal: str = ""

    def of(self, numbers: range, known: set[tuple[int, int]]) -> Iterator[Scored | Answered]:
        """Of all that is asked about the items of these numbers and is not known yet.

        known: numbers of items with places among what is asked. Raises ModelError where the model
        gives no scores; where it gives no answers, the rest goes on (see `check_answering`).
        """
        for number in progress.through(numbers, "Item"):
            try:
                item = self.data[number]
            except DatasetError as error:
                self.skipped.append(reading.Skipped(f"item {number}", str(error)))
                continue
            for place in range(len(item.asked)):
                self.is_told = bool(self.is_told) or _is_told(item, place)
                if (number, place) not in known:
                    yield from self._of_one(number, item, place)

    def check_answering(self) -> None:
        """Raise ModelError, with the first of them, if there are questions that were refused."""
        if self.unanswered:
            raise ModelError(
                f"{self.data.name} has a question without candidates, item {self.unanswered[0]}. "
                f"{self.refusal}"
            )

    def _of_one(self, number: int, item: Item, place: int) -> Iterator[Scored | Answered]:
        asked = item.asked[place]
        if asked.name == PLAIN:
            yield from self._answered(number, item, place)
        elif len(asked.options) < 2:
            self.n_single += 1
        else:
            found = reading.scores(asked, self.model.score, self.skipped, self.left_out)
            yield Scored.of(number, item, place, found)

    def _answered(self, number: int, item: Item, place: int) -> Iterator[Answered]:
        if item.answer is None:
            self.n_untold += 1
            return
        if self.refusal:
            self.unanswered.append(number)
            return
        asked = item.asked[place]
        try:
            said = reading.answer(asked, self.model.answer, self.skipped, self.left_out)
        except ModelError as error:
            self.refusal = str(error)
            self.unanswered.append(number)
            return
        if said is not None:
            yield Answered(
                number, item.name, place, asked.name, said.text, said.is_cut_off, item.answer
            )


def _is_told(item: Item, place: int) -> bool:
    """Whether the set tells what is right of what is asked in this place."""
    asked = item.asked[place]
    return item.answer is not None if asked.name == PLAIN else bool(asked.right)

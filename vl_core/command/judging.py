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

    skipped: what could not be read. left_out: boxes that are no places. n_untold: questions without
    candidates that were not asked, as there is no answer to compare with.
    """

    data: Dataset
    model: "Model"
    skipped: list[reading.Skipped] = field(default_factory=list)
    left_out: reading.Sentences = field(default_factory=dict)
    n_untold: int = 0

    def of(self, numbers: range, known: set[tuple[int, int]]) -> Iterator[Scored | Answered]:
        """Of all that is asked about the items of these numbers and is not known yet.

        known: numbers of items with places among what is asked. Raises ModelError where the model
        gives no scores or no answers.
        """
        for number in progress.counted(numbers, "Item"):
            try:
                item = self.data[number]
            except DatasetError as error:
                self.skipped.append(reading.Skipped(f"item {number}", str(error)))
                continue
            for place in range(len(item.asked)):
                if (number, place) not in known:
                    yield from self._of_one(number, item, place)

    def _of_one(self, number: int, item: Item, place: int) -> Iterator[Scored | Answered]:
        asked = item.asked[place]
        if asked.name == PLAIN:
            yield from self._answered(number, item, place)
        elif len(asked.options) < 2:
            reason = f"{item.name}: there is one option only, and nothing to choose."
            self.skipped.append(reading.Skipped(asked.options[0].name, reason))
        else:
            found = reading.scores(asked, self.model.score, self.skipped, self.left_out)
            yield Scored.of(number, item, place, found)

    def _answered(self, number: int, item: Item, place: int) -> Iterator[Answered]:
        if item.answer is None:
            self.n_untold += 1
            return
        asked = item.asked[place]
        try:
            said = reading.answer(asked, self.model.answer, self.skipped, self.left_out)
        except ModelError as error:
            raise ModelError(
                f"{self.data.name} has a question without candidates, item {number}. {error}"
            ) from error
        if said is not None:
            yield Answered(number, item.name, place, asked.name, said, item.answer)

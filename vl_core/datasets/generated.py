"""Questions about generated scenes as a data set, without any file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vl_core.datasets.items import PLAIN, Asked, Item, Option, placed
from vl_core.datasets.scenes import QUESTION_TYPES, UNSEEN_SEEDS, as_example, question_item

COUNT = 100 * len(QUESTION_TYPES)


@dataclass(frozen=True)
class Scenes:
    """Questions of all types in turn, each about a scene of its own.

    seeds: of the scenes, 64 for each question; by default those that no model was trained on.
    """

    count: int = COUNT
    seeds: range = UNSEEN_SEEDS
    name: str = "scenes"
    kind: str = "scenes"

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Which types of questions there are, and the first seed."""
        return {"categories": ", ".join(QUESTION_TYPES), "first seed": self.seeds.start}

    @property
    def paths(self) -> tuple[Path, ...]:
        """None: scenes are drawn from their seeds."""
        return ()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Item:
        """The question of that number; raises VLError if the seeds do not suffice."""
        found = question_item(self.seeds, placed(number, len(self)))
        asked = found.asked
        option = Option("0", asked.text, partial(as_example, found.scene, asked))
        return Item(
            name=str(found.seed),
            text=asked.text,
            asked=(Asked(PLAIN, asked.text, (option,)),),
            category=asked.type,
            answer=asked.answer,
        )

    def __iter__(self) -> Iterator[Item]:
        return map(self.__getitem__, range(len(self)))

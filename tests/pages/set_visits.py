"""A server with data sets, forgotten after each use, and a visitor who goes through them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from streamlit.testing.v1 import AppTest

from pages.shared import session
from pages.shared.data_sets import scene_sets, set_answers, set_scores, sets
from tests.pages.serving import visitor
from vl_core.datasets import Asked, Item, Option
from vl_core.datasets.items import PLAIN, placed
from vl_core.errors import DatasetError
from vl_core.example import Example

CHOICES, SOURCES = scene_sets.CHOICES, scene_sets.SOURCES
PAGE = "pages/data_sets.py"


def forget_sets() -> None:
    """Let no set be open and nothing be known of any."""
    known = (set_scores._all_known, set_answers._all_known, set_scores._figures, set_scores._jobs)
    for memory in (sets._opened, sets._results, *known, session._previews, session._traces):
        memory.clear()


def at_sets(address: str = "") -> AppTest:
    """Somebody who opens the page of data sets."""
    return visitor(address).run().switch_page(PAGE).run()


def look_inside(app: AppTest, option: int) -> None:
    """Put an option of the item that is looked at on show."""
    app.button(key=f"look_inside_{option}").click().run()


def listed(app: AppTest) -> list[int]:
    """The numbers of the items on the page of the list, from 0."""
    return [int(label.split("**")[1].replace(",", "")) - 1 for label in app.radio[0].options]


def said(app: AppTest) -> str:
    """All text on the page outside the sidebar, as a reader sees it."""
    kinds = ("markdown", "caption", "info", "error", "subheader")
    return " ".join(one.value for kind in kinds for one in app.main.get(kind)).replace("\\", "")


def inside(block: Any) -> Iterator[Any]:
    """All elements within a part of the page, in order, and the parts that they stand in."""
    for child in getattr(block, "children", {}).values():
        yield child
        yield from inside(child)


def errors(app: AppTest) -> list[str]:
    """What is complained of, anywhere on the page."""
    return [one.value.replace("\\", "") for one in app.error]


@dataclass(frozen=True)
class Listed:
    """A data set in memory; None is an item that cannot be read."""

    items: tuple[Item | None, ...]
    name: str = "listed"
    kind: str = "table"
    metadata: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> Item:
        found = self.items[placed(number, len(self))]
        if found is None:
            raise DatasetError(f"item {number} is damaged")
        return found

    def __iter__(self) -> Iterator[Item]:
        return map(self.__getitem__, range(len(self)))


def plain(text: str, **more: Any) -> Item:
    """An item without candidates."""
    option = Option("0", text, lambda: Example(None, text))
    return Item(text, text, (Asked(PLAIN, text, (option,)),), **more)


def choosing(text: str, *candidates: str, right: int | None = 0) -> Item:
    """An item of multiple choice without a picture."""

    def example(candidate: str) -> Example:
        return Example(None, f"{text} {candidate}", task="candidate", breaks=(len(text) + 1,))

    options = tuple(
        Option(str(place), one, lambda one=one: example(one))
        for place, one in enumerate(candidates)
    )
    truth = None if right is None else frozenset({right})
    return Item(text, text, (Asked("candidates", text, options, truth),))

"""What an entry of the heads page's menu says of each head, wherever its numbers come from."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from vl_core.arrays import HeadMap


@dataclass(frozen=True, eq=False)
class Notes:
    """One more line about each head: one of a few sentences, with numbers filled in.

    sentences: with {0}, {1} ... where numbers go. which: for each head the sentence that counts,
    or the first for all. numbers: layer x head. decimals: of the numbers; None for three
    significant digits.
    """

    sentences: tuple[str, ...]
    which: Int[np.ndarray, "layer head"] | None = None
    numbers: tuple[HeadMap, ...] = ()
    decimals: int | None = None

    def on(self, layer: int, head: int) -> str:
        """What it says of a head."""
        sentence = self.sentences[0 if self.which is None else self.which[layer, head]]
        return sentence.format(*(written(n[layer, head], self.decimals) for n in self.numbers))


@dataclass(frozen=True, eq=False)
class Measured:
    """One number for each head, before it is looked at in a view.

    values: layer x head in `unit`, nan for a missing one. definition: what stands below the map.
    why_missing: what is said where no head has a value. limit: for what lies on both sides of 0 the
    least that the colors reach to, so that next to nothing stays pale; None for all else.
    is_lowest_first: whether the lowest values are the remarkable ones. notes: what there is to say
    of each head besides. columns: further numbers for the table to take away. caution: what must be
    known before the values are read.
    """

    name: str
    unit: str
    values: HeadMap
    definition: str
    why_missing: str = ""
    limit: float | None = None
    is_lowest_first: bool = False
    notes: Notes | None = None
    columns: Mapping[str, HeadMap] = field(default_factory=dict)
    caution: str = ""

    def notes_on(self, layer: int, head: int) -> list[str]:
        """What there is to say of a head besides its value."""
        return [] if self.notes is None else [self.notes.on(layer, head)]


def with_columns(sheet: str, columns: Mapping[str, HeadMap]) -> str:
    """A table of one row for each head, layer by layer, with further columns; missing is empty."""
    header, *rows = csv.reader(io.StringIO(sheet))
    content = io.StringIO()
    table = csv.writer(content)
    table.writerow([*header, *columns])
    further = zip(*(values.ravel() for values in columns.values()), strict=True)
    for row, numbers in zip(rows, further if columns else [()] * len(rows), strict=True):
        table.writerow([*row, *("" if np.isnan(value) else f"{value:.8g}" for value in numbers)])
    return content.getvalue()


def written(value: float, decimals: int | None = None) -> str:
    """A number for reading: three significant digits unless told otherwise, a true minus sign.

    The browser's half is `significant` in the head map's scale.js.
    """
    if not np.isfinite(value):
        return "missing"
    if decimals is None and abs(value) >= 1000:
        decimals = 0
    text = f"{value:.3g}" if decimals is None else f"{value:z.{decimals}f}"
    return text.replace("-", "\N{MINUS SIGN}")

"""Boxes that are no place in their picture: each is left out and told of, and the rest is used.

Four numbers may be no place: one of them nan, the sides exchanged, or beyond the picture's edge.
Such a box says nothing against the picture, the question and the other boxes. It is not corrected,
as nobody knows what was meant.
"""

from collections.abc import Iterable
from dataclasses import replace

from vl_core.datasets.quoting import shortened
from vl_core.example import Region, wrong_box

Size = tuple[int, int] | None
"""Width and height of a picture in pixels, or None without one."""

LEFT_OUT = "boxes left out"  # the name of that fact of an item


def usable(regions: Iterable[Region], size: Size) -> tuple[Region, ...]:
    """Those whose box is a place in a picture of this size."""
    return tuple(region for region in regions if not wrong_box(region, size))


def left_out(where: str, regions: Iterable[Region], size: Size) -> tuple[str, ...]:
    """A sentence on each of the others, with what is wrong; where: in which line they stand."""
    named = (replace(region, label=shortened(region.label)) for region in regions)
    wrong = (wrong_box(region, size) for region in named)
    return tuple(f"{where}: {one} It is left out." for one in wrong if one)


def fact(sentences: Iterable[str]) -> dict[str, str]:
    """What an item tells of them, if there is any."""
    told = " ".join(sentences)
    return {LEFT_OUT: told} if told else {}

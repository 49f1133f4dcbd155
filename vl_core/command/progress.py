"""Lines on the terminal that say what is going on; results go to standard output instead."""

import sys
import time
from collections.abc import Collection, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
_WIDTH = 100
_EVERY = 0.2  # seconds between two writings of the line
_NAMED = 5  # of what was passed over


def tell(text: str) -> None:
    """Write over the line; where no one watches a terminal, nothing is written."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text[:_WIDTH]:<{_WIDTH}}")
        sys.stderr.flush()


def done(text: str) -> None:
    """Write a line that stays."""
    tell("")
    sys.stderr.write(f"\r{text}\n" if sys.stderr.isatty() else f"{text}\n")


def through(things: Collection[T], what: str) -> Iterator[T]:
    """Each thing, while the line says how many are done and about how long the rest takes."""
    start = told = time.monotonic()
    for number, thing in enumerate(things):
        now = time.monotonic()
        if number == 0 or now - told >= _EVERY:
            told = now
            left = (now - start) / number * (len(things) - number) if number else None
            tell(f"{what} {number + 1} of {len(things)}{_remaining(left)}")
        yield thing
    tell("")


def listed(lines: Collection[str], what: str) -> Iterator[str]:
    """How many there are of what, and the first of them; nothing where there is none."""
    if not lines:
        return
    yield f"{len(lines):,} {what}:"
    yield from (f"  {line}" for line in islice(lines, _NAMED))
    if len(lines) > _NAMED:
        yield f"  ... and {len(lines) - _NAMED:,} more"


def left_out(count: int) -> str:
    """What is said of so many boxes that cannot be used, behind their number."""
    if count == 1:
        return "box left out, as it is no place in its picture"
    return "boxes left out, as they are no places in their pictures"


def _remaining(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f", {minutes} min {rest:02d} s left" if minutes else f", {rest} s left"

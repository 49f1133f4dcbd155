"""A measured number, and the table in which it stands beside its aim."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Figure:
    """What was measured; aim is what it should stay below, None where nothing is aimed at."""

    what: str
    value: float
    unit: str
    aim: float | None = None


def spread(what: str, values: Sequence[float], unit: str, **aims: float) -> Iterator[Figure]:
    """Median and 95th percentile of the values; aims may name a `median` and a `p95`."""
    n = f"({len(values)} times)"
    yield Figure(f"{what}: median {n}", float(np.median(values)), unit, aims.get("median"))
    p95 = float(np.percentile(values, 95))
    yield Figure(f"{what}: 95th percentile", p95, unit, aims.get("p95"))


def median_and_most(
    what: str, values: Sequence[float], unit: str, aim: float | None = None
) -> Iterator[Figure]:
    """Median and maximum of a few values."""
    yield Figure(f"{what}: median of {len(values)}", float(np.median(values)), unit, aim)
    yield Figure(f"{what}: slowest", max(values), unit)


def table(figures: Iterable[Figure]) -> str:
    """Aim and measured value side by side, as Markdown."""
    lines = ["| what | aim | measured |", "|---|---|---|"]
    for one in figures:
        aim = "" if one.aim is None else f"≤ {one.aim:g} {one.unit}"
        lines.append(f"| {one.what} | {aim} | {written(one)} |")
    return "\n".join(lines)


def written(figure: Figure) -> str:
    """The value with its unit, three digits of it."""
    value = figure.value
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {figure.unit}"

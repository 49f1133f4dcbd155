"""Color scales: which values they span, and their colors in the forms that are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vl_core.arrays import HeadMap
from vl_core.figures.style import ATTENTION, DIVERGING, SEQUENTIAL


@dataclass(frozen=True)
class ColorScale:
    """Evenly spaced colors (hex) from the value `low` to the value `high`."""

    low: float
    high: float
    colors: tuple[str, ...]

    def for_plotly(self) -> list[tuple[float, str]]:
        """The colors with their places from 0 to 1.

        Not in hex: Streamlit takes #000001 to #000016 for placeholders of its theme's colors.
        """
        places = np.linspace(0, 1, len(self.colors))
        return [
            (float(place), f"rgb{channels(color)}")
            for place, color in zip(places, self.colors, strict=True)
        ]


def from_zero(weights: np.ndarray) -> ColorScale:
    """From zero to the largest weight, so that colors can be read as amounts of attention."""
    return ColorScale(0, float(weights.max(initial=0)) or 1.0, hex_colors(ATTENTION))


def sequential(values: HeadMap) -> ColorScale:
    """From the smallest to the largest value; 0 to 1 if all are missing."""
    found = values[np.isfinite(values)]
    low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 1.0)
    return ColorScale(low, high, hex_colors(SEQUENTIAL))


def symmetric(values: HeadMap, limit: float | None = None) -> ColorScale:
    """As far below zero as above it, so that the middle color is zero; up to `limit` if given."""
    if limit is None:
        found = np.abs(values[np.isfinite(values)])
        limit = float(found.max(initial=0)) or 1.0
    return ColorScale(-limit, limit, hex_colors(DIVERGING))


def hex_colors(scale: str) -> tuple[str, ...]:
    """The colors of a Plotly scale, evenly spaced, as "#rrggbb"."""
    from plotly import colors  # noqa: PLC0415 takes a while, and the first paint does not wait

    found = [color for _, color in colors.get_colorscale(scale)]
    return tuple(c if c.startswith("#") else _hex(colors.unlabel_rgb(c)) for c in found)


def channels(color: str) -> tuple[int, int, int]:
    """Red, green and blue of a hex color, 0 to 255."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def _hex(channels: Sequence[float]) -> str:
    return "#" + "".join(f"{round(channel):02x}" for channel in channels)

"""What a record may hold: arrays of fractions, places in a grid, a picture, attention."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from vl_core.arrays import Attention, Pixels
from vl_core.datasets.captured import ROW_ROUNDING
from vl_core.datasets.interpret.described import Array, NotPlainError, shown
from vl_core.errors import DatasetError

_MOST_CELLS = 10_000  # in a row or a column of the grid


class Sums(NamedTuple):
    """The smallest and the largest sum of a row of attention."""

    lowest: float
    highest: float

    @property
    def are_one(self) -> bool:
        """Whether each is 1, but for rounding."""
        return max(abs(self.lowest - 1), abs(self.highest - 1)) <= ROW_ROUNDING


def said(name: str, read: Any) -> Any:  # noqa: ANN401 an array's own methods
    """What an array reads as; raises DatasetError, with this name, if it is of something else."""
    try:
        return read()
    except NotPlainError as error:
        raise DatasetError(f"{name} holds something else: {error}.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name} holds a string that is no text in Unicode.") from error


def numbers(name: str, value: object) -> np.ndarray:
    """An array of fractions; raises DatasetError, with this name, for anything else."""
    found = said(name, value.values) if isinstance(value, Array) else None
    if found is None or found.dtype.kind != "f":
        came = "no array" if found is None else f"an array of {found.dtype}"
        raise DatasetError(f"{name} is {came}; an array of float16, 32 or 64 is wanted.")
    return np.asarray(found)


def cell(value: object) -> tuple[int, int]:
    """Column and row; raises DatasetError for anything else."""
    pair = tuple(value) if isinstance(value, list | tuple) else ()
    if len(pair) != 2 or not all(_is_place(one) for one in pair):
        raise DatasetError(
            f"img_coords holds {shown(value)} for a patch; its column and row from the top left "
            "are wanted, from 0."
        )
    return int(pair[0]), int(pair[1])


def _is_place(number: object) -> bool:
    return type(number) in (int, float) and number in range(_MOST_CELLS)


def pixels(values: np.ndarray) -> Pixels:
    """Eight bits; fractions from 0 to 1 are those of white, as where such pictures are drawn."""
    if values.dtype.kind != "f":
        return values.clip(0, 255).astype(np.uint8)
    shades = np.nan_to_num(values)
    levels = shades * 255 if shades.max() <= 1 else shades
    return np.round(levels.clip(0, 255)).astype(np.uint8)


def row_sums_of(attention: Attention) -> Sums:
    """What rows sum to, those aside in which there is nothing; raises DatasetError below 0."""
    lowest, highest = np.inf, 0.0
    for layer in attention:
        weights = layer if layer.dtype.itemsize >= 4 else layer.astype(np.float32)
        sums = weights @ np.ones(weights.shape[-1], weights.dtype)  # faster than any other way
        if not np.isfinite(sums).all() or weights.min() < 0:
            raise DatasetError("attention holds weights below 0, or that are no finite numbers.")
        sums = sums[sums > 0]
        lowest = min(lowest, float(sums.min(initial=np.inf)))
        highest = max(highest, float(sums.max(initial=0)))
    return Sums(lowest, highest)


def shares(attention: Attention) -> Float32[np.ndarray, "layer head query key"]:
    """Each row divided by its sum."""
    found = np.empty(attention.shape, np.float32)
    for layer, weights in enumerate(attention):
        sums = weights.sum(axis=-1, keepdims=True, dtype=np.float64)
        found[layer] = np.divide(weights, sums, out=np.zeros(weights.shape), where=sums > 0)
    return found


def by(shape: tuple[int, ...]) -> str:
    """A shape in words."""
    return " x ".join(map(str, shape)) or "a single number"

"""The head map: one cell for each layer and head, to be pointed at and chosen."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import streamlit as st
from jaxtyping import Int

from pages.shared.components.assets import component
from pages.shared.components.packing import packed
from pages.shared.measured import Notes
from vl_core.arrays import HeadMap, LayerCurve
from vl_core.figures.color_scale import ColorScale

_mounted = component(
    "head_map",
    "packing.js",
    "head_map/payload.js",
    "head_map/scale.js",
    "head_map/hints.js",
    "head_map/picture.js",
    "head_map/component.js",
)


First = Literal["highest", "lowest", "largest"]


@dataclass(frozen=True)
class Labels:
    """What the map says about itself.

    layers: the layers' numbers on screen. file: what a saved picture is called.
    """

    name: str
    unit: str
    layers: Sequence[int]
    file: str


@dataclass(frozen=True, eq=False)
class Hints:
    """What is said of each head under the pointer, besides its value and its rank.

    patterns: names, and for each head the number of its own. first: which value has rank 1; the
    largest is that which is farthest from 0, as suits differences. own: the values in their own
    unit, and that unit, where the map shows others.
    """

    patterns: Sequence[str]
    pattern: Int[np.ndarray, "layer head"]
    first: First = "highest"
    own: tuple[HeadMap, str] | None = None
    notes: Notes | None = None


@dataclass(frozen=True, eq=False)
class HeadPicture:
    """All that the map shows; missing values (nan) are hatched."""

    values: HeadMap
    means: LayerCurve
    scale: ColorScale
    labels: Labels
    hints: Hints


def head_map(
    shown: HeadPicture,
    chosen: tuple[int, int | None],
    on_choose: Callable[[int, int | None], None],
    *,
    key: str = "head_map",
) -> None:
    """Draw the map; `on_choose` hears of the layer and the head, None for the layer's mean.

    Layers and heads count from 0.
    """

    def report() -> None:
        choice = st.session_state[key].get("chosen")
        if choice:
            on_choose(choice["layer"], choice["head"])

    _mounted(data=encoded(shown, chosen), key=key, on_chosen_change=report)


def encoded(shown: HeadPicture, chosen: tuple[int, int | None]) -> bytes:
    """The message: what is said once for all heads, then the numbers of each.

    Numbers are in single precision; what the pointer shows is put together in the browser.
    """
    hints, notes = shown.hints, shown.hints.notes
    header = asdict(shown.scale) | {
        "name": shown.labels.name,
        "unit": shown.labels.unit,
        "layers": list(shown.labels.layers),
        "file": shown.labels.file,
        "heads": shown.values.shape[1],
        "patterns": list(hints.patterns),
        "first": hints.first,
        "ownUnit": None if hints.own is None else hints.own[1],
        "sentences": [] if notes is None else notes.sentences,
        "decimals": None if notes is None else notes.decimals,
        "nNotes": 0 if notes is None else len(notes.numbers),
    }
    parts = {
        "values": _single(shown.values),
        "means": _single(shown.means),
        "pattern": _bytes(hints.pattern),
        "own": b"" if hints.own is None else _single(hints.own[0]),
        "which": b"" if notes is None or notes.which is None else _bytes(notes.which),
        "notes": b"" if notes is None else b"".join(map(_single, notes.numbers)),
    }
    # Tells the browser that only another head is selected, so that it paints no cell anew.
    stamp = zlib.crc32(repr(header).encode() + b"".join(parts.values()))
    return packed(header | {"selected": chosen, "stamp": stamp}, parts)


def _single(values: np.ndarray) -> bytes:
    return np.where(np.isfinite(values), values, np.nan).astype("<f4").tobytes()


def _bytes(numbers: np.ndarray) -> bytes:
    return numbers.astype(np.uint8).tobytes()

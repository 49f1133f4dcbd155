"""The head map: one cell for each layer and head, to be pointed at and chosen."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import streamlit as st

from pages.shared.components.assets import component
from vl_core.arrays import HeadMap, LayerCurve
from vl_core.figures.color_scale import ColorScale

_mounted = component(
    "head_map", "head_map/scale.js", "head_map/picture.js", "head_map/component.js"
)


@dataclass(frozen=True)
class Labels:
    """What the map says about itself.

    layers: the layers' numbers on screen. hints: further lines under the pointer, for each layer
    and head. file: what a saved picture is called.
    """

    name: str
    unit: str
    layers: Sequence[int]
    hints: Sequence[Sequence[Sequence[str]]]
    file: str


def head_map(
    values: HeadMap,
    means: LayerCurve,
    scale: ColorScale,
    labels: Labels,
    chosen: tuple[int, int | None],
    on_choose: Callable[[int, int | None], None],
    *,
    key: str = "head_map",
) -> None:
    """Draw the map; `on_choose` hears of the layer and the head, None for the layer's mean.

    Missing values (nan) are hatched. Layers and heads count from 0.
    """

    def report() -> None:
        choice = st.session_state[key].get("chosen")
        if choice:
            on_choose(choice["layer"], choice["head"])

    data = asdict(scale) | {
        "name": labels.name,
        "unit": labels.unit,
        "layers": list(labels.layers),
        "hints": [[list(lines) for lines in row] for row in labels.hints],
        "file": labels.file,
        "values": _without_nan(values),
        "means": _without_nan(means),
        "selected": list(chosen),
    }
    _mounted(data=data, key=key, on_chosen_change=report)


def _without_nan(values: np.ndarray) -> list:
    """Nested lists in which what is missing is None, as JSON has no nan."""
    return np.where(np.isfinite(values), values, None).tolist()

"""A page with nothing but the head map, for its browser tests.

?size=80x64 draws a larger one, ?differences one whose values lie on both sides of 0.
"""

from dataclasses import replace

import numpy as np
import streamlit as st

from pages.shared.components.head_map import HeadPicture, Hints, Labels, head_map
from pages.shared.measured import Notes
from vl_core.figures import color_scale
from vl_core.head_stats import views

LAYERS, HEADS = 3, 5
MISSING = (0, 1)
DIFFERENCES = 0.7  # what is taken from all values


def values(layers: int = LAYERS, heads: int = HEADS) -> np.ndarray:
    """From 0 to 1 row by row; one head is missing."""
    found = np.linspace(0, 1, layers * heads).reshape(layers, heads)
    found[MISSING] = np.nan
    return found


def hints(shown: np.ndarray) -> Hints:
    """Patterns that change from head to head, a value in another unit, and notes of two kinds."""
    number = np.arange(shown.size).reshape(shown.shape)
    notes = Notes(("even, {0} below {1}", "odd"), number % 2, (-shown / 1e3, 1e4 * shown))
    return Hints(("first", "second", "third"), number % 3, own=(100 * shown, "%"), notes=notes)


def choose(layer: int, head: int | None) -> None:
    """What a page does with a choice: keep it, and count."""
    st.session_state["choice"] = (layer, head)
    st.session_state["count"] = st.session_state.get("count", 0) + 1


def main() -> None:
    """Draw the map, what Python has heard, and a button by which Python chooses."""
    size = st.query_params.get("size", f"{LAYERS}x{HEADS}")
    shown = values(*map(int, size.split("x")))
    if "differences" in st.query_params:
        shown = shown - DIFFERENCES
    labels = Labels("Mass <b>", "share of attention", range(1, len(shown) + 1), "heads-mass")
    scale = color_scale.sequential(shown)
    now = st.session_state.setdefault("choice", (1, 2))
    first = "largest" if "differences" in st.query_params else "highest"
    said = replace(hints(shown), first=first)
    head_map(HeadPicture(shown, views.layer_means(shown), scale, labels, said), now, choose)
    st.text(f"heard {now}, {st.session_state.get('count', 0)} times")
    st.button("Python chooses", on_click=choose, args=(0, 0))


if __name__ == "__main__":
    main()

"""The map of hidden states: words and patches that glide through the layers.

Pointing, choosing and playing are answered in the browser; what was chosen is told afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st
from jaxtyping import Float, Int

from pages.shared.components import blob_store
from pages.shared.components.assets import component
from pages.shared.components.state_map.payload import StatePicture, encoded

__all__ = ["Nearest", "StatePicture", "encoded", "state_map"]

SCRIPTS = ("payload.js", "placing.js", "drawing.js", "panel.js", "component.js")
KEY = "state_map"

_mount = component(
    "state_map", "bus.js", "packing.js", *(f"state_map/{script}" for script in SCRIPTS)
)


@dataclass(frozen=True, eq=False)
class Nearest:
    """What lies nearest to one mark: for each state words, then patches; -1 where there is none."""

    mark: int
    marks: Int[np.ndarray, "state 2 rank"]
    cosines: Float[np.ndarray, "state 2 rank"]


def state_map(
    blob: str,
    tokens: tuple[int, ...],
    state: int,
    on_choice: Callable[[tuple[int, ...], int], None],
    nearest: Nearest | None = None,
) -> None:
    """Draw the map.

    blob: key of an encoded StatePicture on the bus. tokens: selected positions of the stream.
    state: the hidden state shown. on_choice: told of tokens and state that the visitor chose.
    nearest: of the last selected token, where the blob lists no neighbours.
    """
    asked = nearest and {
        "mark": nearest.mark,
        "marks": nearest.marks.tolist(),
        "similarities": nearest.cosines.round(4).tolist(),
    }
    _mount(
        key=KEY,
        data={"blob": blob, "tokens": list(tokens), "state": state, "nearest": asked},
        on_chosen_change=lambda: _tell(on_choice),
        on_missing_change=_resend,
    )


def _tell(on_choice: Callable[[tuple[int, ...], int], None]) -> None:
    chosen = st.session_state[KEY]["chosen"]
    on_choice(tuple(chosen["tokens"]), chosen["state"])


def _resend() -> None:
    blob_store.forget([st.session_state[KEY]["missing"]])

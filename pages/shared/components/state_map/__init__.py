"""The map of hidden states: words and patches that glide through the layers.

Pointing, choosing and playing are answered in the browser; what was chosen is told afterwards.
"""

from collections.abc import Callable

import streamlit as st

from pages.shared.components import blob_store
from pages.shared.components.assets import component
from pages.shared.components.state_map.payload import StatePicture, encoded

__all__ = ["StatePicture", "encoded", "state_map"]

SCRIPTS = ("payload.js", "placing.js", "drawing.js", "panel.js", "component.js")
KEY = "state_map"

_mount = component("state_map", "bus.js", *(f"state_map/{script}" for script in SCRIPTS))


def state_map(
    blob: str,
    tokens: tuple[int, ...],
    state: int,
    on_choice: Callable[[tuple[int, ...], int], None],
) -> None:
    """Draw the map.

    blob: key of an encoded StatePicture on the bus. tokens: selected positions of the stream.
    state: the hidden state shown. on_choice: told of tokens and state that the visitor chose.
    """
    _mount(
        key=KEY,
        data={"blob": blob, "tokens": list(tokens), "state": state},
        on_chosen_change=lambda: _tell(on_choice),
        on_missing_change=_resend,
    )


def _tell(on_choice: Callable[[tuple[int, ...], int], None]) -> None:
    chosen = st.session_state[KEY]["chosen"]
    on_choice(tuple(chosen["tokens"]), chosen["state"])


def _resend() -> None:
    blob_store.forget([st.session_state[KEY]["missing"]])

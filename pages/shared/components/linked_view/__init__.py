"""The linked view: picture and words, and what any of them looks at, drawn in the browser.

The view itself is `vl_core.linked_view`, which a notebook shows, too. Tokens, attention and picture
go to the browser as bytes through the blob store; the view's own message holds the selection only.
Pointing never waits for the server.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.shared.components import blob_store
from pages.shared.components.assets import text
from pages.shared.selection import Selection
from vl_core.linked_view import files
from vl_core.linked_view.delivery import Delivery, is_whole, shown_tokens
from vl_core.linked_view.message import blobs, message
from vl_core.trace import Stack, TracedExample

__all__ = ["KEY", "is_whole", "linked_view", "shown_tokens"]

KEY = "linked_view"

_mount = st.components.v2.component(
    f"vl_{KEY}", html=files.html(), css=files.css(), js=f"{text('bus.js')}\n{files.script()}"
)


def linked_view(
    analysis: str,
    example: TracedExample,
    stack: Stack,
    selection: Selection,
    on_change: Callable[[dict[str, Any]], None],
    *,
    offers_position: bool = False,
) -> None:
    """Draw the view of a stack: one stream that looks at itself, or one that looks at another.

    analysis: names the trace and changes with its content. on_change: called with the layer,
    all_layers, head, direction, position, picture_view, tokens and keys that the visitor has
    chosen, before the page runs again. offers_position: whether words of an answer can be shown at
    the position that predicts them and at the one that reads them.
    """
    delivery = Delivery.of(stack, selection, offers_position=offers_position)
    seen = (_state().get("selection") or {}).get("change", 0)
    _mount(
        key=KEY,
        data=message(analysis, example, delivery, seen=seen),
        on_selection_change=lambda: on_change(_choice()),
        on_missing_change=_note_missing,
    )
    blob_store.deliver(analysis, blobs(example, delivery))


def _state() -> dict[str, Any]:
    return st.session_state.get(KEY) or {}


def _choice() -> dict[str, Any]:
    """What the browser sent, by the names that Python uses."""
    sent = _state()["selection"]
    return {
        "layer": int(sent["layer"]),
        "all_layers": bool(sent["allLayers"]),
        "head": None if sent["head"] is None else int(sent["head"]),
        "direction": str(sent["direction"]),
        "position": str(sent["position"]),
        "picture_view": str(sent["view"]),
        "tokens": tuple(int(token) for token in sent["tokens"]),
        "keys": tuple(int(token) for token in sent["keys"]),
    }


def _note_missing() -> None:
    blob_store.forget(_state().get("missing") or ())

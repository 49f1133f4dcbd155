"""The linked view: picture and words, and what any of them looks at, drawn in the browser.

Tokens, attention and picture go there as bytes through the blob store; the view's own message holds
the selection only. How much attention goes there is told in `delivery`. Pointing never waits for
the server.
"""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st
from PIL import Image

from pages.shared.components import blob_store
from pages.shared.components.assets import component
from pages.shared.components.linked_view.delivery import Delivery, is_whole, shown_tokens
from pages.shared.components.linked_view.tokens import tables
from pages.shared.selection import Selection
from vl_core.trace import Stack, TracedExample

__all__ = ["KEY", "is_whole", "linked_view", "shown_tokens"]

KEY = "linked_view"
PICTURE = "picture"

_mount = component(
    KEY,
    "bus.js",
    *(
        f"{KEY}/{part}.js"
        for part in (
            "colors",
            "halves",
            "masks",
            "layers",
            "tables",
            "profiles",
            "picture",
            "words",
            "thumbnails",
            "telling",
            "choices",
            "pointing",
            "playing",
            "export",
            "component",
        )
    ),
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
    _mount(
        key=KEY,
        data=_payload(analysis, example, delivery),
        on_selection_change=lambda: on_change(_choice()),
        on_missing_change=_note_missing,
    )
    blob_store.deliver(analysis, _blobs(example, delivery))


def _payload(analysis: str, example: TracedExample, delivery: Delivery) -> dict[str, Any]:
    stack, selection = delivery.stack, delivery.selection
    return {
        "version": f"{analysis}/{stack.name}",
        "stackKey": f"{analysis}/{stack.name}",
        "tokensKey": f"{analysis}/{delivery.tokens_name}",
        "layerNumbers": [number + 1 for number in stack.layers],
        "pictureKey": None if example.picture is None else f"{analysis}/{PICTURE}",
        "size": example.original_size,
        "heads": stack.n_heads,
        "isWhole": delivery.is_whole,
        "holdsLayer": delivery.holds_layer,
        "reach": delivery.reach,
        "offersPosition": delivery.offers_position,
        "profile": _profile(analysis, delivery),
        "selection": {
            "layer": selection.layer,
            "allLayers": selection.all_layers and delivery.is_whole,
            "head": selection.head,
            "direction": selection.direction,
            "position": selection.position,
            "view": selection.picture_view,
            "tokens": selection.tokens,
            "keys": selection.keys,
        },
        # A message that answers an older change than the visitor's last one is out of date.
        "seen": (_state().get("selection") or {}).get("change", 0),
    }


def _profile(analysis: str, delivery: Delivery) -> dict[str, Any] | None:
    """What the server works out for the pinned tokens, where the browser would take too long."""
    if not delivery.sends_profile:
        return None
    return {
        "key": f"{analysis}/{delivery.profile_name}",
        "layer": delivery.selection.layer,
        "direction": delivery.selection.direction,
        "position": delivery.selection.position,
        "tokens": delivery.shown,
    }


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


def _blobs(example: TracedExample, delivery: Delivery) -> dict[str, Callable[[], bytes]]:
    """What is on show first: tokens, the attention chosen, the picture; then the rest."""
    stack, size = delivery.stack, example.original_size
    found: dict[str, Callable[[], bytes]] = {delivery.tokens_name: partial(tables, stack, size)}
    found |= delivery.chosen()
    if example.picture is not None:
        found[PICTURE] = partial(_jpeg, example.picture)
    return found | delivery.rest()


def _jpeg(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.convert("RGB").save(content, "JPEG", quality=92)
    return content.getvalue()

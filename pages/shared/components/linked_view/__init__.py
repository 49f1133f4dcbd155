"""The linked view: picture and words, and what any of them looks at, drawn in the browser.

Attention goes there as square-root codes through the blob store, the picture likewise; the view's
own message holds tokens and selection only. Up to `WHOLE_BYTES` every layer is sent, the selected
one first; beyond that the selected layer alone, and another one when it is selected, which then
waits for the server. Pointing never does.
"""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from pages.shared.components import blob_store
from pages.shared.components.assets import component
from pages.shared.selection import Selection
from vl_core import wire
from vl_core.token_attention import token_names
from vl_core.trace import Stack, TokenTable, TracedExample

KEY = "linked_view"
PICTURE = "picture"
WHOLE_BYTES = 10 * 2**20  # codes of all layers that a browser is given at once

_mount = component(
    KEY,
    "bus.js",
    *(
        f"{KEY}/{part}.js"
        for part in (
            "colors",
            "weights",
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
) -> None:
    """Draw the view of a stack in which one stream looks at itself.

    analysis: names the trace and changes with its content. on_change: called with the layer,
    all_layers, head, direction and tokens that the visitor has chosen, before the page runs again.
    """
    _mount(
        key=KEY,
        data=_payload(analysis, example, stack, selection),
        on_selection_change=lambda: on_change(_choice()),
        on_missing_change=_note_missing,
    )
    blob_store.deliver(analysis, _blobs(example, stack, selection.layer))


def is_whole(stack: Stack) -> bool:
    """Whether the browser is given all layers, without which it cannot show their mean."""
    return wire.BYTES * int(np.prod(stack.weights.shape)) <= WHOLE_BYTES


def _payload(
    analysis: str, example: TracedExample, stack: Stack, selection: Selection
) -> dict[str, Any]:
    return {
        "version": f"{analysis}/{stack.name}",
        "layerKeys": [f"{analysis}/{_layer_name(stack, i)}" for i in range(stack.n_layers)],
        "layerNumbers": [number + 1 for number in stack.layers],
        "pictureKey": None if example.picture is None else f"{analysis}/{PICTURE}",
        "size": example.original_size,
        "heads": stack.n_heads,
        "isWhole": is_whole(stack),
        **_tokens(stack.queries),
        "selection": {
            "layer": selection.layer,
            "allLayers": selection.all_layers and is_whole(stack),
            "head": selection.head,
            "direction": selection.direction,
            "tokens": selection.tokens,
        },
        # A message that answers an older change than the visitor's last one is out of date.
        "seen": (_state().get("selection") or {}).get("change", 0),
    }


def _tokens(tokens: TokenTable) -> dict[str, Any]:
    kinds = np.where(tokens.is_padding, "padding", tokens.kinds)
    boxes = [
        np.round(box, 2).tolist() if kind == "image" and not np.isnan(box).any() else None
        for kind, box in zip(kinds, tokens.boxes, strict=True)
    ]
    return {
        "texts": tokens.texts,
        "labels": token_names(tokens),
        "kinds": kinds.tolist(),
        "boxes": boxes,
        "unknown": np.flatnonzero(tokens.is_unknown).tolist(),
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
        "tokens": tuple(int(token) for token in sent["tokens"]),
    }


def _note_missing() -> None:
    blob_store.forget(_state().get("missing") or ())


def _blobs(example: TracedExample, stack: Stack, selected: int) -> dict[str, Callable[[], bytes]]:
    """The selected layer, the picture, then the other layers if they are not too much."""
    others = [i for i in range(stack.n_layers) if i != selected] if is_whole(stack) else []
    layers = {_layer_name(stack, i): partial(_packed_layer, stack, i) for i in (selected, *others)}
    if example.picture is None:
        return layers
    first = _layer_name(stack, selected)
    return {first: layers.pop(first), PICTURE: partial(_jpeg, example.picture), **layers}


def _layer_name(stack: Stack, layer: int) -> str:
    return f"{stack.name}/{layer}"


def _packed_layer(stack: Stack, layer: int) -> bytes:
    return wire.packed(stack.weights[layer])


def _jpeg(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.convert("RGB").save(content, "JPEG", quality=92)
    return content.getvalue()

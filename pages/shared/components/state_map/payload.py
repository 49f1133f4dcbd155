"""What the map of hidden states is drawn from, as one blob: a JSON header, then arrays.

The browser's half is payload.js.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from vl_core.arrays import Points
from vl_core.figures.style import KIND_COLORS
from vl_core.token_attention import token_labels
from vl_core.trace import TokenTable

PICTURE_SIDE = 512  # pixels: crops stay sharp, the blob stays small
NOBODY = 65535  # stands where a token has fewer neighbours of a kind than are listed
SIMILARITY_STEPS = 32767  # 1.0 as a 16-bit integer


@dataclass(frozen=True)
class StatePicture:
    """All that the map shows of one projection.

    title: of a saved picture. points: state x mark x 2. positions: each mark's position in the
    stream. state_names, captions: one each for every state. shares_scale: whether the states'
    points have one unit. neighbours: the marks nearest to each mark, likest first, kind 0 words
    and kind 1 patches, -1 where there is none; of no mark if there are too many to list.
    similarities: their cosines, -1..1. picture: what the patches are cut from; size: its width
    and height in the boxes' pixels.
    """

    title: str
    points: Points
    tokens: TokenTable
    positions: Int[np.ndarray, "token"]
    state_names: tuple[str, ...]
    captions: tuple[str, ...]
    shares_scale: bool
    neighbours: Int[np.ndarray, "mark state 2 rank"]
    similarities: Float[np.ndarray, "mark state 2 rank"]
    picture: Image.Image | None = None
    size: tuple[int, int] | None = None


def encoded(shown: StatePicture) -> bytes:
    """The blob: the header's length, the header, and the arrays at even offsets."""
    marks = np.where(shown.neighbours < 0, NOBODY, shown.neighbours)
    steps = np.rint(shown.similarities * SIMILARITY_STEPS)
    parts = {
        "points": shown.points.astype("<f4").tobytes(),
        "boxes": shown.tokens.boxes[shown.positions].astype("<f4").tobytes(),
        "neighbours": marks.astype("<u2").tobytes(),
        "similarities": steps.astype("<i2").tobytes(),
        "picture": _jpeg(shown.picture),
    }
    return _joined(_header(shown), parts)


def _header(shown: StatePicture) -> dict[str, Any]:
    labels = token_labels(shown.tokens)
    return {
        "title": shown.title,
        "texts": [labels[position] for position in shown.positions],
        "kinds": [shown.tokens.kinds[position] for position in shown.positions],
        "unknown": np.flatnonzero(shown.tokens.is_unknown[shown.positions]).tolist(),
        "positions": shown.positions.tolist(),
        "stateNames": shown.state_names,
        "captions": shown.captions,
        "sharesScale": shown.shares_scale,
        "count": shown.neighbours.shape[-1],
        "size": shown.size,
        "colors": KIND_COLORS,
    }


def _joined(header: dict[str, Any], parts: Mapping[str, bytes]) -> bytes:
    # Offsets stand in the header, whose length they would change: room for them is left in it.
    places = {name: [10**9, len(content)] for name, content in parts.items()}
    room = len(json.dumps(header | {"parts": places}).encode())
    offset = 4 + room
    for name, content in parts.items():
        places[name][0] = offset
        offset += len(content)
    written = json.dumps(header | {"parts": places}).encode().ljust(room)
    return b"".join([room.to_bytes(4, "little"), written, *parts.values()])


def _jpeg(picture: Image.Image | None) -> bytes:
    if picture is None:
        return b""
    small = picture.copy()
    small.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=88)
    return content.getvalue()

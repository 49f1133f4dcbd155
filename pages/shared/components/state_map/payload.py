"""What the map of hidden states is drawn from, as one blob: a JSON header, then arrays.

The browser's half is payload.js.
"""

import io
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt16
from PIL import Image

from pages.shared.components.packing import packed
from vl_core.arrays import Points
from vl_core.figures.states import kind_nouns, mark_kinds
from vl_core.figures.style import KIND_COLORS
from vl_core.short_names import short_labels
from vl_core.token_attention import token_labels
from vl_core.trace import TokenTable
from vl_core.trace.nouns import image_noun

PICTURE_SIDE = 512  # pixels: crops stay sharp, the blob stays small
NOBODY = 65535  # stands where a token has fewer neighbours of a kind than are listed
SIMILARITY_STEPS = 32767  # 1.0 as a 16-bit integer
STEPS = 65535  # places along the longer side of the map: a hundred to a pixel

Marks = Int[np.ndarray, "mark state 2 rank"]
Cosines = Float[np.ndarray, "mark state 2 rank"]


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
    neighbours: Marks
    similarities: Cosines
    picture: Image.Image | None = None
    size: tuple[int, int] | None = None


def encoded(shown: StatePicture) -> bytes:
    """The blob: points in 16 bits between the edges that the header names."""
    marks = np.where(shown.neighbours < 0, NOBODY, shown.neighbours)
    steps = np.rint(shown.similarities * SIMILARITY_STEPS)
    edges = _edges(shown.points, shares_scale=shown.shares_scale)
    nouns = kind_nouns(image_noun(shown.tokens))
    kinds = list(nouns)
    parts = {
        "points": _quantised(shown.points, edges).tobytes(),
        "kinds": bytes(kinds.index(kind) for kind in _kinds(shown)),
        "positions": shown.positions.astype("<u4").tobytes(),
        "boxes": shown.tokens.boxes[shown.positions].astype("<f4").tobytes(),
        "neighbours": marks.astype("<u2").tobytes(),
        "similarities": steps.astype("<i2").tobytes(),
        "picture": _jpeg(shown.picture),
    }
    named = {kind: asdict(noun) for kind, noun in nouns.items()}
    return packed(_header(shown) | {"edges": edges.tolist(), "kindNouns": named}, parts)


def _kinds(shown: StatePicture) -> list[str]:
    kinds = mark_kinds(shown.tokens)
    return [kinds[position] for position in shown.positions]


def _edges(points: Points, *, shares_scale: bool) -> Float[np.ndarray, "state 3"]:
    """Left, bottom and side of the square around the points of each state, or of all states."""
    groups = points.reshape(1, -1, 2) if shares_scale else points
    low, high = groups.min(axis=1), groups.max(axis=1)
    sides = (high - low).max(axis=1, keepdims=True)
    # What lies in one place needs some side, too, to be divided by.
    edges = np.concatenate([low, np.where(sides > 0, sides, 1)], axis=1)
    return np.repeat(edges, len(points), axis=0) if shares_scale else edges


def _quantised(
    points: Points, edges: Float[np.ndarray, "state 3"]
) -> UInt16[np.ndarray, "state token 2"]:
    shares = (points - edges[:, None, :2]) / edges[:, None, 2:]
    return np.rint(shares * STEPS).astype("<u2")


def _header(shown: StatePicture) -> dict[str, Any]:
    labels, short = token_labels(shown.tokens), short_labels(shown.tokens)
    return {
        "title": shown.title,
        "texts": [short[position] for position in shown.positions],
        "wholes": {
            mark: labels[position]
            for mark, position in enumerate(shown.positions)
            if labels[position] != short[position]
        },
        "unknown": np.flatnonzero(shown.tokens.is_unknown[shown.positions]).tolist(),
        "stateNames": shown.state_names,
        "captions": shown.captions,
        "sharesScale": shown.shares_scale,
        "count": shown.neighbours.shape[-1],
        "size": shown.size,
        "colors": KIND_COLORS,
    }


def _jpeg(picture: Image.Image | None) -> bytes:
    if picture is None:
        return b""
    small = picture.copy()
    small.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=88)
    return content.getvalue()

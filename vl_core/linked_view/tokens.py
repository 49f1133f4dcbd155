"""The tokens of a stack's two streams as the linked view is told of them."""

import json
from typing import Any

import numpy as np

from vl_core.arrays import Boxes, TokenMask
from vl_core.coverage import covered_share
from vl_core.structure import looking_queries
from vl_core.token_attention import has_place, token_names
from vl_core.trace import Stack, TokenTable

FOLDED = 4  # so many specials in a row, or more, become one button

Size = tuple[int, int] | None


def tables(stack: Stack, size: Size) -> bytes:
    """JSON: the streams' names, the queries and, if they are others, the keys.

    size: width and height of the picture, None without one.
    """
    every_key = np.ones(len(stack.keys), bool)
    keys = None if stack.is_self_attention else _table(stack.keys, every_key, size)
    queries = _table(stack.queries, looking_queries(stack), size)
    streams = [stack.query_stream, stack.key_stream]
    return json.dumps({"streams": streams, "queries": queries, "keys": keys}).encode()


def _table(tokens: TokenTable, takes_part: TokenMask, size: Size) -> dict[str, Any]:
    """takes_part: patches that do not are left out, like padding; words say that they do not."""
    is_placed = has_place(tokens) & takes_part
    is_left_out = tokens.is_padding | (has_place(tokens) & ~takes_part)
    kinds = np.where(is_left_out, "padding", tokens.kinds)
    views = list(dict.fromkeys(np.array(tokens.views)[is_placed].tolist())) or [""]
    return {
        "texts": tokens.texts,
        "labels": token_names(tokens),
        "kinds": kinds.tolist(),
        "boxes": [
            np.round(box, 2).tolist() if placed else None
            for placed, box in zip(is_placed, tokens.boxes, strict=True)
        ],
        "unknown": np.flatnonzero(tokens.is_unknown).tolist(),
        "generated": np.flatnonzero(tokens.is_generated).tolist(),
        "views": views,
        "viewOf": [views.index(view) if view in views else -1 for view in tokens.views],
        "covered": [
            _covered(tokens.boxes[is_placed & (np.array(tokens.views) == view)], size)
            for view in views
        ],
        "folds": folds(tokens),
    }


def _covered(boxes: Boxes, size: Size) -> float:
    """The share of the picture that the patches of a view cover; all of it without a picture."""
    return covered_share(boxes, size) if size and len(boxes) else 1.0


def folds(tokens: TokenTable) -> list[list[int]]:
    """Runs of many specials among the tokens without a place: templates, ends of rows, registers.

    The model's own answer is left as it is.
    """
    listed = np.flatnonzero(~has_place(tokens) & ~tokens.is_padding)
    is_folded = (tokens.is_special & ~tokens.is_generated)[listed]
    starts = np.flatnonzero(np.diff(is_folded, prepend=False, append=False)).reshape(-1, 2)
    return [listed[first:past].tolist() for first, past in starts if past - first >= FOLDED]

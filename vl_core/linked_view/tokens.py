"""The tokens of a stack's two streams as the linked view is told of them."""

import json
from typing import Any

import numpy as np

from vl_core.arrays import Boxes, TokenMask
from vl_core.coverage import covered_share
from vl_core.figures.style import VIEW_TINTS
from vl_core.short_names import cut_name, short_names
from vl_core.structure import looking_queries
from vl_core.token_attention import has_place
from vl_core.trace import Stack, TokenTable
from vl_core.trace.nouns import image_noun

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
    """takes_part: patches that do not are left out, like padding; words say that they do not.

    Long texts and labels are cut; "wholes" has the texts that were, by their positions.
    """
    is_placed = has_place(tokens) & takes_part
    is_left_out = tokens.is_padding | (has_place(tokens) & ~takes_part)
    kinds = np.where(is_left_out, "padding", tokens.kinds)
    views = list(dict.fromkeys(np.array(tokens.views)[is_placed].tolist())) or [""]
    noun = image_noun(tokens)
    short = [cut_name(text) for text in tokens.texts]
    return {
        "texts": short,
        "wholes": {i: text for i, text in enumerate(tokens.texts) if text != short[i]},
        "labels": short_names(tokens),
        "noun": {"one": noun.one, "many": noun.many},
        "kinds": kinds.tolist(),
        "boxes": [
            np.round(box, 2).tolist() if placed else None
            for placed, box in zip(is_placed, tokens.boxes, strict=True)
        ],
        "unknown": np.flatnonzero(tokens.is_unknown).tolist(),
        "generated": np.flatnonzero(tokens.is_generated).tolist(),
        "views": views,
        "tints": [VIEW_TINTS.get(view, 1.0) for view in views],
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

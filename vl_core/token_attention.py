"""What chosen tokens look at, and what looks at them: rows and columns of the attention weights.

No more than a few rows of a layer are ever formed at once, however long its streams are.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from vl_core.arrays import HeadAttention, TokenMask
from vl_core.errors import EmptySelectionError
from vl_core.trace import Stack, TokenTable
from vl_core.trace.nouns import PATCH, image_noun

Direction = Literal["looks_at", "looked_at_by"]
Position = Literal["predicts", "reads"]
Positions = Int[np.ndarray, "row"]
Profile = Float[np.ndarray, "token"]
HeadProfiles = Float[np.ndarray, "head token"]

CHUNK = 32 * 2**20  # bytes of weights that are formed at once


def profile(
    stack: Stack, layer: int | None, head: int | None, tokens: Sequence[int], direction: Direction
) -> Profile:
    """The mean over the chosen tokens of their rows ("looks_at") or columns ("looked_at_by").

    layer, head: None is the mean over all layers, or all heads. A mean of rows sums to one over
    the keys; queries that look at nothing here do not count, and if there are no others it is all
    zero. A column says which share of its attention each query gives to the token; such shares
    come from different rows and sum to nothing in particular. Raises EmptySelectionError without a
    token.
    """
    chosen = _chosen(tokens)
    if direction == "looked_at_by":
        everyone = np.arange(len(stack.queries))
        parts = [
            rows_at(stack, layer, head, some)[:, chosen].mean(axis=1)
            for some in in_chunks(stack, everyone)
        ]
        return np.concatenate(parts)
    total, count = np.zeros(len(stack.keys), np.float32), 0
    for some in in_chunks(stack, chosen):
        rows = rows_at(stack, layer, head, some)
        total += rows.sum(axis=0)
        count += int(rows.any(axis=1).sum())
    return np.asarray(total / max(1, count))


def profiles(stack: Stack, layer: int, tokens: Sequence[int], direction: Direction) -> HeadProfiles:
    """The profile of each head of a layer, as `profile` says."""
    chosen = _chosen(tokens)
    if direction == "looked_at_by":
        everyone = slices(np.arange(len(stack.queries)), _step(stack))
        parts = [stack.weights[layer, :, some][:, :, chosen].mean(axis=2) for some in everyone]
        return np.concatenate(parts, axis=1)
    total = np.zeros((stack.n_heads, len(stack.keys)), np.float32)
    counts = np.zeros((stack.n_heads, 1))
    for some in slices(chosen, _step(stack)):
        rows = stack.weights[layer, :, some]
        total += rows.sum(axis=1)
        counts += rows.any(axis=2).sum(axis=1, keepdims=True)
    return np.asarray(total / np.maximum(1, counts), np.float32)


def rows_at(
    stack: Stack, layer: int | None, head: int | None, positions: Positions
) -> HeadAttention:
    """Weights of these queries on all keys, row x key; None is the mean over layers, or heads.

    All of them are formed: `in_chunks` tells how many are few enough.
    """
    layers = range(stack.n_layers) if layer is None else [layer]
    heads = slice(None) if head is None else slice(head, head + 1)
    total = np.zeros((len(positions), len(stack.keys)), np.float32)
    for one in layers:
        start = 0
        for some in slices(positions, _step(stack)):
            weights = stack.weights[one, heads, some]
            total[start : start + weights.shape[1]] += weights.mean(axis=0)
            start += weights.shape[1]
    total /= len(layers)
    return total


def in_chunks(stack: Stack, positions: Positions) -> Iterator[Positions]:
    """The positions in portions whose rows may be formed at once."""
    step = max(1, CHUNK // max(1, 4 * len(stack.keys)))
    return (positions[start : start + step] for start in range(0, len(positions), step))


def slices(positions: Positions, most: int) -> Iterator[slice]:
    """Positions that follow on each other, together, but no more than so many at once."""
    breaks = np.flatnonzero(np.diff(positions) != 1) + 1
    for first, past in pairwise([0, *breaks.tolist(), len(positions)]):
        for start in range(first, past, most):
            length = min(most, past - start)
            yield slice(int(positions[start]), int(positions[start]) + length)


def _step(stack: Stack) -> int:
    """How many rows of all heads may be formed at once."""
    return max(1, CHUNK // max(1, 4 * stack.n_heads * len(stack.keys)))


def _chosen(tokens: Sequence[int]) -> Positions:
    if not tokens:
        raise EmptySelectionError("No token is chosen; the mean over none is undefined.")
    return np.array(tokens)


def asking(tokens: TokenTable, chosen: Sequence[int], position: Position) -> tuple[int, ...]:
    """The rows that stand for the chosen tokens.

    A generated token was chosen by what its predecessor's position put out: "predicts" names that
    position, "reads" the token's own. All others have one position, their own.
    """
    if position == "reads":
        return tuple(chosen)
    return tuple(token - 1 if tokens.is_generated[token] and token else token for token in chosen)


def token_names(tokens: TokenTable) -> tuple[str, ...]:
    """What each token is called in a sentence: as `token_labels` says, with words in quotes."""
    return tuple(
        f"'{label}'" if kind == "text" else label
        for label, kind in zip(token_labels(tokens), tokens.kinds, strict=True)
    )


def token_labels(tokens: TokenTable) -> tuple[str, ...]:
    """What each token is called in a list or beside its mark.

    Words, specials, regions and tokens of the image without a place are called by their text,
    patches of a full grid by row and column counted from 1 ("patch 3, 5"), other patches by their
    number among the patches. Where the picture has several views, the view is named, too.
    """
    if image_noun(tokens) is not PATCH:
        return tokens.texts
    labels, places = list(tokens.texts), patch_places(tokens)
    for view in dict.fromkeys(tokens.views):
        for number, patch in enumerate(_patches(tokens, view)):
            place = places.get(int(patch), (number + 1,))
            labels[patch] = f"patch {', '.join(map(str, place))}" + (f" ({view})" if view else "")
    return tuple(labels)


def patch_places(tokens: TokenTable) -> dict[int, tuple[int, int]]:
    """Row and column, from 1, of the patches by position; of views that form a full grid only.

    Regions have a number and no row, wherever they lie.
    """
    found: dict[int, tuple[int, int]] = {}
    if image_noun(tokens) is not PATCH:
        return found
    for view in dict.fromkeys(tokens.views):
        patches = _patches(tokens, view)
        boxes = tokens.boxes[patches].round(3)  # edges come from divisions
        columns, column = np.unique(boxes[:, 0], return_inverse=True)
        rows, row = np.unique(boxes[:, 1], return_inverse=True)
        places = list(zip((row + 1).tolist(), (column + 1).tolist(), strict=True))
        if len(boxes) == len(rows) * len(columns) and len(set(places)) == len(boxes):
            found |= dict(zip(patches.tolist(), places, strict=True))
    return found


def has_place(tokens: TokenTable) -> TokenMask:
    """Which tokens are patches that lie somewhere in the picture."""
    return np.asarray(tokens.is_image & ~np.isnan(tokens.boxes).any(axis=1))


def placed_views(tokens: TokenTable) -> tuple[str, ...]:
    """The views of the picture in which patches lie, in the model's order; "" if it has one."""
    return tuple(dict.fromkeys(np.array(tokens.views)[has_place(tokens)].tolist()))


def view_on_show(tokens: TokenTable, wanted: str) -> str:
    """The view that is wanted where the table has it, else its first."""
    views = placed_views(tokens)
    return wanted if wanted in views else next(iter(views), "")


def in_view(tokens: TokenTable, view: str) -> TokenMask:
    """Which patches have a place in this view of the picture."""
    return np.asarray(has_place(tokens) & (np.array(tokens.views) == view))


def _patches(tokens: TokenTable, view: str) -> Positions:
    """Positions of the patches of a view that have a place in the picture."""
    return np.flatnonzero(in_view(tokens, view))

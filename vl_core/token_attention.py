"""What chosen tokens look at, and what looks at them: rows and columns of the attention weights."""

import csv
import io
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from vl_core.arrays import HeadAttention
from vl_core.errors import EmptySelectionError
from vl_core.trace import Stack, TokenTable

Direction = Literal["looks_at", "looked_at_by"]
Profile = Float[np.ndarray, "token"]


def weights_of(stack: Stack, layer: int | None, head: int | None) -> HeadAttention:
    """Weights of one layer and head, query x key; None is the mean over all layers, or all heads.

    Each row is a distribution over keys, as a mean of distributions is one.
    """
    layers = range(stack.n_layers) if layer is None else [layer]
    heads = slice(None) if head is None else slice(head, head + 1)
    # One layer at a time: all of them together may be far larger than any one.
    return np.asarray(sum(stack.weights[one, heads].mean(axis=0) for one in layers) / len(layers))


def profile(weights: HeadAttention, tokens: Sequence[int], direction: Direction) -> Profile:
    """The mean over the chosen tokens of their rows ("looks_at") or columns ("looked_at_by").

    A mean of rows sums to one over the keys. A column says which share of its attention each query
    gives to the token; such shares come from different rows and sum to nothing in particular.
    Raises EmptySelectionError without a token.
    """
    if not tokens:
        raise EmptySelectionError("No token is chosen; the mean over none is undefined.")
    chosen = list(tokens)
    if direction == "looks_at":
        return np.asarray(weights[chosen].mean(axis=0))
    return np.asarray(weights[:, chosen].mean(axis=1))


def token_names(tokens: TokenTable) -> tuple[str, ...]:
    """What each token is called in a sentence.

    Words stand in quotes, patches of a full grid by row and column counted from 1, other patches
    by their number among the patches.
    """
    names = [
        text if kind == "special" else f"'{text}'"
        for text, kind in zip(tokens.texts, tokens.kinds, strict=True)
    ]
    places = patch_places(tokens)
    for number, patch in enumerate(np.flatnonzero(tokens.is_image)):
        names[patch] = (
            f"patch {number + 1}"
            if places is None
            else f"patch row {places[number][0]}, column {places[number][1]}"
        )
    return tuple(names)


def patch_places(tokens: TokenTable) -> list[tuple[int, int]] | None:
    """Row and column of each patch, from 1, or None where the patches form no full grid."""
    boxes = tokens.boxes[tokens.is_image]
    columns, column = np.unique(boxes[:, 0], return_inverse=True)
    rows, row = np.unique(boxes[:, 1], return_inverse=True)
    places = list(zip((row + 1).tolist(), (column + 1).tolist(), strict=True))
    is_grid = len(boxes) == len(rows) * len(columns) and len(set(places)) == len(boxes)
    return places if is_grid else None


def as_csv(tokens: TokenTable, values: Profile) -> str:
    """One line for each token: position (from 1), name, kind, box in the picture, weight."""
    content = io.StringIO()
    table = csv.writer(content)
    table.writerow(["position", "token", "kind", "left", "top", "right", "bottom", "weight"])
    names = token_names(tokens)
    for i, value in enumerate(values):
        box = ["" if np.isnan(edge) else f"{edge:g}" for edge in tokens.boxes[i]]
        table.writerow([i + 1, names[i], tokens.kinds[i], *box, f"{value:.8g}"])
    return content.getvalue()


def arrays_of_layer(stack: Stack, layer: int | None) -> dict[str, np.ndarray]:
    """Weights of all heads of a layer (or of the mean over layers), with what each token is.

    weights: head x query x key; names, kinds and boxes of queries and keys beside them.
    """
    heads = [weights_of(stack, layer, head) for head in range(stack.n_heads)]
    arrays = {"weights": np.stack(heads)}
    for role, tokens in (("query", stack.queries), ("key", stack.keys)):
        arrays[f"{role}_names"] = np.array(token_names(tokens))
        arrays[f"{role}_kinds"] = np.array(tokens.kinds)
        arrays[f"{role}_boxes"] = tokens.boxes
    return arrays

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
    total = np.zeros(stack.weights.shape[2:], np.float32)
    # One layer at a time: all of them together may be far larger than any one.
    for one in layers:
        weights = stack.weights
        total += weights.mean_over_heads(one) if head is None else weights[one, head]
    total /= len(layers)
    return total


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
    """What each token is called in a sentence: as `token_labels` says, with words in quotes."""
    return tuple(
        f"'{label}'" if kind == "text" else label
        for label, kind in zip(token_labels(tokens), tokens.kinds, strict=True)
    )


def token_labels(tokens: TokenTable) -> tuple[str, ...]:
    """What each token is called in a list or beside its mark.

    Words and specials are called by their text, patches of a full grid by row and column counted
    from 1 ("patch 3, 5"), other patches by their number among the patches.
    """
    labels = list(tokens.texts)
    places = patch_places(tokens)
    for number, patch in enumerate(np.flatnonzero(tokens.is_image)):
        place = (number + 1,) if places is None else places[number]
        labels[patch] = f"patch {', '.join(map(str, place))}"
    return tuple(labels)


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
    weights = np.empty(stack.weights.shape[1:], np.float32)
    for head in range(stack.n_heads):
        weights[head] = weights_of(stack, layer, head)
    arrays = {"weights": weights}
    for role, tokens in (("query", stack.queries), ("key", stack.keys)):
        arrays[f"{role}_names"] = np.array(token_names(tokens))
        arrays[f"{role}_kinds"] = np.array(tokens.kinds)
        arrays[f"{role}_boxes"] = tokens.boxes
    return arrays

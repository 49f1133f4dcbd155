"""How heads stand among each other, and the weights of one of them."""

import numpy as np
from jaxtyping import Int

from vl_core.arrays import HeadAttention, HeadMap, TokenMask
from vl_core.trace import Stack, TokenTable

Ranks = Int[np.ndarray, "layer head"]


def ranks(values: HeadMap) -> Ranks:
    """1 for the highest value of all layers and heads; equal ones share a rank, missing have 0."""
    present = np.sort(values[~np.isnan(values)])
    n_higher = len(present) - np.searchsorted(present, values, side="right")
    return np.where(np.isnan(values), 0, n_higher + 1)


def head_weights(
    stack: Stack, layer: int, head: int | None, *, with_specials: bool = True
) -> HeadAttention:
    """One head's weights, or the mean over the layer's heads.

    Rows and columns of padding, and of specials without them, are zero, and each row is divided
    by what is left of it.
    """
    every = stack.weights
    weights = every.mean_over_heads(layer) if head is None else every[layer, head]
    weights[_dropped(stack.queries, with_specials=with_specials)] = 0
    keys = _dropped(stack.keys, with_specials=with_specials)
    if not keys.any():
        return weights
    weights[:, keys] = 0
    left = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, left, out=weights, where=left > 0)


def _dropped(tokens: TokenTable, *, with_specials: bool) -> TokenMask:
    return tokens.is_padding if with_specials else tokens.is_padding | tokens.is_special

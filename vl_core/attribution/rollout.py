"""Attention rollout: attention of all layers multiplied, with half of each token kept in between.

It follows where information could have come from if every layer mixed half of it by its mean
attention, whatever the values and the layers' other parts do; it asks no gradient and no answer.
Source: Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers".
"""

import numpy as np
from jaxtyping import Float

from vl_core.arrays import HeadAttention
from vl_core.errors import ModelError
from vl_core.head_stats.summary import head_weights
from vl_core.trace import Stack


def rollout(stack: Stack) -> HeadAttention:
    """Query x key: what each token holds of each other one after the last layer.

    Each row sums to 1; padding is left out and holds itself. Raises ModelError for a stack in which
    one stream looks at another.
    """
    return _held(stack, np.eye(len(stack.queries)))


def rollout_row(stack: Stack, query: int) -> Float[np.ndarray, "key"]:
    """The row of one query, which takes no product of whole matrices."""
    return np.asarray(_held(stack, np.eye(len(stack.queries))[[query]])[0])


def _held(stack: Stack, held: HeadAttention) -> HeadAttention:
    """These rows, each passed down through all layers."""
    if stack.queries is not stack.keys:
        raise ModelError(
            f"Rollout follows one stream through its layers; in stack {stack.name} "
            f"{stack.query_stream} looks at {stack.key_stream}."
        )
    for layer in reversed(range(stack.n_layers)):
        mixed = (head_weights(stack, layer, None) + np.eye(len(stack.queries))) / 2
        held = held @ (mixed / mixed.sum(axis=1, keepdims=True))
    return held

"""What one head looks at most, and how it stands among all heads."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vl_core.arrays import HeadAttention, HeadMap, QueryMask, TokenMask
from vl_core.head_stats.grounding import OF_CLASS_TOKEN, OF_WORDS
from vl_core.head_stats.modalities import (
    DIRECTIONS,
    LIFTS,
    MASSES,
    MEAN_WEIGHTS,
    WITHOUT_SELF_MASS,
    WITHOUT_SELF_MEAN_WEIGHT,
)
from vl_core.head_stats.places import DIAGONAL, PREVIOUS_TOKEN, REACH
from vl_core.head_stats.statistic import HeadStatistic
from vl_core.head_stats.tables import class_token
from vl_core.trace import Stack, TokenTable

CALLED = {"text": "words", "image": "patches"}

# Which kinds of tokens a statistic needs: those that look and those that are looked at.
NEEDED = {
    statistic.key: kinds
    for statistics in (MASSES, MEAN_WEIGHTS, LIFTS)
    for statistic, kinds in zip(statistics, DIRECTIONS, strict=True)
} | {
    statistic.key: ("image", "image")
    for statistic in (WITHOUT_SELF_MASS, WITHOUT_SELF_MEAN_WEIGHT, REACH)
}
OF_ONE_STREAM = (DIAGONAL, PREVIOUS_TOKEN, REACH, WITHOUT_SELF_MASS, WITHOUT_SELF_MEAN_WEIGHT)

Ranks = Int[np.ndarray, "layer head"]


class Pair(NamedTuple):
    """A query that looks at a key, by position, with the weight between them."""

    query: int
    key: int
    weight: float


def ranks(values: HeadMap) -> Ranks:
    """1 for the highest value of all layers and heads; equal ones share a rank, missing have 0."""
    present = np.sort(values[~np.isnan(values)])
    n_higher = len(present) - np.searchsorted(present, values, side="right")
    return np.where(np.isnan(values), 0, n_higher + 1)


def strongest_pairs(weights: HeadAttention, count: int) -> list[Pair]:
    """The greatest weights from one token to another, greatest first; weights of 0 are none."""
    order = np.argsort(-weights, axis=None, kind="stable")[:count]
    pairs = [divmod(int(place), weights.shape[1]) for place in order]
    return [Pair(q, k, float(weights[q, k])) for q, k in pairs if weights[q, k] > 0]


def received(weights: HeadAttention, looking: QueryMask) -> Float[np.ndarray, "key"]:
    """The share of these queries' attention that each key gets; nan if no query looks anywhere."""
    rows = weights[looking]
    rows = rows[rows.sum(axis=1) > 0]  # a fully masked query looks at nothing
    return rows.mean(axis=0) if len(rows) else np.full(weights.shape[1], np.nan)


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


def why_missing(statistic: HeadStatistic, stack: Stack) -> str:
    """In a sentence, why a statistic has no value for any head of this stack."""
    if statistic in OF_CLASS_TOKEN:
        return _why_no_class_token(statistic, stack)
    if statistic in OF_WORDS:
        return (
            "It needs words whose place in the picture is known, and patches inside those places; "
            "this example brings no such boxes, or the stack no such words and patches."
        )
    asking, asked = NEEDED.get(statistic.key, ("", ""))
    if asking and asking not in stack.queries.kinds:
        return f"It needs {CALLED[asking]}, but no {CALLED[asking]} look in this stack."
    if asked and asked not in stack.keys.kinds:
        return f"It needs {CALLED[asked]}, but no {CALLED[asked]} are looked at in this stack."
    if stack.queries is not stack.keys and statistic in OF_ONE_STREAM:
        return "It compares places in one stream; here one stream looks at another."
    return "It is undefined for every head of this example."


def _why_no_class_token(statistic: HeadStatistic, stack: Stack) -> str:
    if not len(class_token(stack.queries)):
        return "It needs a class token that looks, but no special token looks in this stack."
    if not np.isnan(statistic.of(stack)).all():
        return "It is about the class token, which is left out without special tokens."
    return (
        "It needs objects that are asked about whose place in the picture is known, and patches "
        "inside and outside those places that the class token may look at."
    )

"""What one head looks at most, and how it stands among all heads."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vl_core.arrays import HeadAttention, HeadMap, QueryMask
from vl_core.head_stats.grounding import GROUNDING, GROUNDING_LIFT
from vl_core.head_stats.statistic import HeadStatistic
from vl_core.trace import Stack

CALLED = {"text": "words", "image": "patches"}

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
    """One head's weights, or the mean over the layer's heads; rows of padding are zero.

    Without specials, their rows and columns are zero and each row is divided by what is left.
    """
    weights = stack.weights[layer].mean(axis=0) if head is None else stack.weights[layer, head]
    weights = np.where(stack.queries.is_padding[:, None], np.float32(0), weights)
    if with_specials:
        return weights
    weights[stack.queries.is_special] = 0
    weights[:, stack.keys.is_special] = 0
    left = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, left, out=np.zeros_like(weights), where=left > 0)


def why_missing(statistic: HeadStatistic, stack: Stack) -> str:
    """In a sentence, why a statistic has no value for any head of this stack."""
    if statistic in (GROUNDING, GROUNDING_LIFT):
        return (
            "It needs words whose place in the picture is known, and patches inside those places; "
            "this example brings no such boxes, or the stack no such words and patches."
        )
    asking, _, rest = statistic.key.partition("_to_")
    asked = rest.split("_")[0]
    if asking in CALLED and asking not in stack.queries.kinds:
        return f"It needs {CALLED[asking]}, but no {CALLED[asking]} look in this stack."
    if asked in CALLED and asked not in stack.keys.kinds:
        return f"It needs {CALLED[asked]}, but no {CALLED[asked]} are looked at in this stack."
    if stack.queries is not stack.keys:
        return "It compares a token with itself; here one stream looks at another."
    return "It is undefined for every head of this example."

"""Tokens that stand out by their hidden states: massive dimensions, and large norms.

Both rules compare a state with itself, so that the scale under which a stream packs it does not
matter. A state is what enters the layer of the same number.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from vl_core.arrays import TokenMask
from vl_core.row_slices import slices
from vl_core.trace import Stream

CHUNK = 4 * 2**20  # numbers of a state at once

Dimensions = Int[np.ndarray, "dimension"]
Scores = Float[np.ndarray, "state token"]


def peaks(stream: Stream, states: Sequence[int], tokens: TokenMask) -> Float[np.ndarray, "width"]:
    """For each dimension the most that any of these tokens has in it in any of these states.

    In times the root mean square of all dimensions of the token in that state.
    """
    highest = np.zeros(stream.packed_states.shape[2])
    for state in states:
        found = _over_mean_square(stream.packed_states[state, tokens].astype(np.float32))
        highest = np.maximum(highest, found.max(axis=0, initial=0))
    return highest


def massiveness(stream: Stream, states: Sequence[int], dimensions: Dimensions) -> Scores:
    """The most that each token has in any of these dimensions, in the same unit."""
    scores = np.zeros((len(states), len(stream.tokens)))
    for number, state in enumerate(states):
        for rows in _chunks(stream):
            values = stream.packed_states[state, rows].astype(np.float32)
            found = _over_mean_square(values)[:, dimensions]
            scores[number, rows] = found.max(axis=1, initial=0)
    return scores


def norms(stream: Stream, states: Sequence[int], patches: TokenMask) -> Scores:
    """The norm of each token, in times the median norm of these patches in the same state.

    nan in a state in which that median is zero.
    """
    scores = np.full((len(states), len(stream.tokens)), np.nan)
    for number, state in enumerate(states):
        for rows in _chunks(stream):
            values = stream.packed_states[state, rows].astype(np.float32)
            scores[number, rows] = np.linalg.norm(values, axis=1)
        median = np.median(scores[number, patches])
        scores[number] = scores[number] / median if median > 0 else np.nan
    return scores


def _over_mean_square(values: Float[np.ndarray, "token width"]) -> Float[np.ndarray, "token width"]:
    mean_square = np.einsum("tw,tw->t", values, values)[:, None] / max(1, values.shape[1])
    size = np.abs(values)
    return np.divide(size, np.sqrt(mean_square), out=size, where=mean_square > 0)


def _chunks(stream: Stream) -> list[slice]:
    _, count, width = stream.packed_states.shape
    return slices(count, CHUNK // max(1, width))

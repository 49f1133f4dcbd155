"""Hidden states seen from the mean of their tokens.

Hidden states of transformers share a large common part that would make all cosines nearly one
(Ethayarajh 2019, "How Contextual are Contextualized Word Representations?").
"""

import numpy as np
from jaxtyping import Float, Float32

from vl_core.arrays import HiddenStates
from vl_core.trace.unpacked import UnpackedStates

States = HiddenStates | UnpackedStates
State = Float[np.ndarray, "token width"]
Centred = Float32[np.ndarray, "token width"]

NOWHERE = 1e-6  # of a state's largest value: whatever is shorter is what rounding left


def centred(state: State) -> Centred:
    """The state without the mean of its tokens, which is taken in double precision.

    So exactly nothing is left of a constant state.
    """
    vectors = state.astype(np.float32)
    total = vectors.sum(axis=0, dtype=np.float64)
    vectors -= (total / max(len(vectors), 1)).astype(np.float32)
    return vectors


def lengths(state: State, centred_state: Centred) -> Float32[np.ndarray, "token"]:
    """How far each token lies from the mean; 0 where only rounding keeps it away from there."""
    found = np.sqrt(np.einsum("tw,tw->t", centred_state, centred_state))
    highest = np.abs(state).max(initial=0)
    return np.where(found > NOWHERE * highest, found, 0).astype(np.float32)


def directions(state: State) -> Centred:
    """Centred vectors of length one; a token that lies in the mean keeps length zero."""
    vectors = centred(state)
    far = lengths(state, vectors)[:, None]
    return np.divide(vectors, far, out=np.zeros_like(vectors), where=far > 0)

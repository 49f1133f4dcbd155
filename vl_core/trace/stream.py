"""One sequence of tokens inside a model, with where each token lay after every layer."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float16

from vl_core.arrays import HiddenStates, PackedStates, StateScales
from vl_core.errors import TraceError
from vl_core.frozen import freeze, own, take_over
from vl_core.trace.tokens import TokenTable

PackedState = tuple[Float16[np.ndarray, "token width"], np.float32]


def packed(state: Float[np.ndarray, "token width"]) -> PackedState:
    """One hidden state in float16, and the power of two that it was divided by."""
    highest = np.float32(np.abs(state).max(initial=0))
    # Powers of two change no digit, and the largest value near float16's own limit leaves
    # room for the smallest: what a float16 model computed is kept as it is.
    room = np.finfo(np.float16).maxexp - 1
    exponent = np.frexp(highest if highest > 0 else np.float32(1))[1] - room
    scale = np.ldexp(np.float32(1), np.maximum(exponent, np.finfo(np.float32).minexp))
    return (state / scale).astype(np.float16), scale


@dataclass(frozen=True, eq=False)
class Stream:
    """The tokens of one sequence and their hidden states.

    Hidden states are packed as float16 with one scale for each state, so that no model's
    activations overflow; the packed array becomes read-only as it is. A stream whose states were
    not kept has zero states.
    """

    name: str
    tokens: TokenTable
    packed_states: PackedStates
    scales: StateScales

    def __post_init__(self) -> None:
        states, tokens, _ = self.packed_states.shape
        if tokens != len(self.tokens) or states != len(self.scales):
            raise TraceError(
                f"stream {self.name}: hidden states of {tokens} tokens in {states} states, wanted "
                f"{len(self.tokens)} tokens in {len(self.scales)}"
            )
        if not np.isfinite(self.packed_states).all() or not np.isfinite(self.scales).all():
            raise TraceError(f"stream {self.name}: hidden states that are not finite")
        if (self.scales <= 0).any():
            raise TraceError(
                f"stream {self.name}: hidden states scaled by {self.scales.min()}, wanted above 0"
            )
        take_over(self.packed_states)
        freeze(self, scales=own(self.scales))

    @classmethod
    def of(cls, name: str, tokens: TokenTable, hidden_states: HiddenStates) -> "Stream":
        """A stream that keeps these hidden states (state x token x width) in half the room."""
        if not len(hidden_states):
            return cls(name, tokens, hidden_states.astype(np.float16), np.zeros(0, np.float32))
        return cls.of_states(name, tokens, map(packed, hidden_states))

    @classmethod
    def of_states(cls, name: str, tokens: TokenTable, states: Iterable[PackedState]) -> "Stream":
        """A stream of states that were packed one by one; it may have none."""
        kept = list(states)
        scales = np.array([scale for _, scale in kept], np.float32)
        if not kept:
            return cls(name, tokens, np.zeros((0, len(tokens), 0), np.float16), scales)
        return cls(name, tokens, np.stack([state for state, _ in kept]), scales)

    @property
    def hidden_states(self) -> HiddenStates:
        """State x token x width, float32; state 0 is the embeddings, state k is after layer k."""
        return np.asarray(self.packed_states.astype(np.float32) * self.scales[:, None, None])

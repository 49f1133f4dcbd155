"""One sequence of tokens inside a model, with where each token lay after every layer."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float16

from vl_core.arrays import HiddenStates, PackedStates, StateScales
from vl_core.counted import counted
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
        finite = (np.isfinite(state).all() for state in self.packed_states)
        if not all(finite) or not np.isfinite(self.scales).all():
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
        states = StatesSoFar(len(hidden_states))
        for state in hidden_states:
            states.add(state)
        return states.stream(name, tokens)

    def __repr__(self) -> str:
        """In one line: how many tokens, and the hidden states that are kept of them."""
        count, tokens, width = self.packed_states.shape
        states = counted(count, "hidden state") if count else "no hidden states"
        each = f", {width:,} wide" if count else ""
        return f"<Stream {self.name}: {counted(tokens, 'token')}, {states}{each}>"

    @property
    def hidden_states(self) -> HiddenStates:
        """State x token x width, float32; state 0 is the embeddings, state k is after layer k."""
        # In one step: a copy in float32 before it would take as much again.
        scales = self.scales[:, None, None]
        return np.asarray(np.multiply(self.packed_states, scales, dtype=np.float32))


class StatesSoFar:
    """Hidden states of a stream that come one after the other, each packed into its place.

    count: how many will come. No second copy of them all is ever made.
    """

    def __init__(self, count: int) -> None:
        self.scales: StateScales = np.zeros(count, np.float32)
        self.packed: PackedStates = np.zeros((count, 0, 0), np.float16)
        self.heard = 0

    def add(self, state: Float[np.ndarray, "token width"]) -> None:
        """Take in the next state; those beyond the last are counted and dropped."""
        if not self.heard:
            self.packed = np.zeros((len(self.scales), *state.shape), np.float16)
        if self.heard < len(self.scales):
            self.packed[self.heard], self.scales[self.heard] = packed(state)
        self.heard += 1

    def stream(self, name: str, tokens: TokenTable) -> Stream:
        """The stream that has these states; it may have none."""
        kept = self.packed if self.heard else np.zeros((0, len(tokens), 0), np.float16)
        return Stream(name, tokens, kept, self.scales)

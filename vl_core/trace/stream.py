"""One sequence of tokens inside a model, with where each token lay after every layer."""

from dataclasses import dataclass

import numpy as np

from vl_core.arrays import HiddenStates, PackedStates, StateScales
from vl_core.errors import TraceError
from vl_core.trace.frozen import freeze, own, take_over
from vl_core.trace.tokens import TokenTable


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
        highest = np.abs(hidden_states).max(axis=(1, 2), initial=0).astype(np.float32)
        # Powers of two change no digit, and the largest value near float16's own limit leaves
        # room for the smallest: what a float16 model computed is kept as it is.
        room = np.finfo(np.float16).maxexp - 1
        exponents = np.frexp(np.where(highest > 0, highest, np.float32(1)))[1] - room
        scales = np.ldexp(np.float32(1), np.maximum(exponents, np.finfo(np.float32).minexp))
        packed = (hidden_states / scales[:, None, None]).astype(np.float16)
        return cls(name, tokens, packed, scales)

    @property
    def hidden_states(self) -> HiddenStates:
        """State x token x width, float32; state 0 is the embeddings, state k is after layer k."""
        return np.asarray(self.packed_states.astype(np.float32) * self.scales[:, None, None])

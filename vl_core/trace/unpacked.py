"""Hidden states of some tokens of a stream, unpacked one state at a time.

All states of a large decoder at once would take twice the room in which they are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from vl_core.trace.stream import Stream


@dataclass(frozen=True, eq=False)
class UnpackedStates:
    """`states[k]` is hidden state k of the tokens at these positions: token x width, float32."""

    stream: Stream
    positions: Int[np.ndarray, "token"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """States, tokens, width."""
        states, _, width = self.stream.packed_states.shape
        return states, len(self.positions), width

    def __len__(self) -> int:
        return len(self.stream.scales)

    def __getitem__(self, state: int) -> Float32[np.ndarray, "token width"]:
        chosen = self.stream.packed_states[state, self.positions].astype(np.float32)
        chosen *= self.stream.scales[state]
        return np.asarray(chosen)

    def __iter__(self) -> Iterator[Float32[np.ndarray, "token width"]]:
        return (self[state] for state in range(len(self)))

"""Where in a trace the attention of a model's modules belongs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Place:
    """Where an attention module belongs: stack, streams and the model's own layer number."""

    stack: str
    query_stream: str
    key_stream: str
    layer: int

    @property
    def ends(self) -> tuple[str, str]:
        """The stream that looks and the one that is looked at."""
        return self.query_stream, self.key_stream


Places = Callable[[str], Sequence[Place]]

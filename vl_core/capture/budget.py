"""How much memory a trace will take, known before the model runs, and what is kept of it."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from vl_core.capture.evaluation import Evaluation
from vl_core.capture.places import Place, Places
from vl_core.capture.tapping import Overheard
from vl_core.trace import TokenTable

DEFAULT = 2**30  # bytes of one trace
HALF = 2  # bytes of a number as it is kept


@dataclass(frozen=True)
class Estimate:
    """Bytes that a trace takes: of each stack's attention, of each stream's hidden states."""

    stacks: Mapping[str, int]
    streams: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.stacks.values()) + sum(self.streams.values())


@dataclass(frozen=True)
class Plan:
    """What is kept: the attention of these stacks, the hidden states of these streams.

    What is not kept is measured all the same: head statistics take next to no room.
    """

    stacks: Collection[str]
    streams: Collection[str]

    @classmethod
    def within(cls, budget: int, estimate: Estimate) -> "Plan":
        """As much as fits into so many bytes.

        The first stack comes first, then the first stream; after them the other stacks and the
        other streams, in their order. What does not fit is left out, and smaller things after it
        may still come in.
        """
        stacks: list[str] = []
        streams: list[str] = []
        left = budget
        for chosen, name, size in _by_worth(estimate, stacks, streams):
            if size <= left:
                chosen.append(name)
                left -= size
        return cls(stacks, streams)


def _by_worth(
    estimate: Estimate, stacks: list[str], streams: list[str]
) -> Iterator[tuple[list[str], str, int]]:
    """Where each thing is noted, its name and its size; the most valuable first."""
    of_stacks = [(stacks, *item) for item in estimate.stacks.items()]
    of_streams = [(streams, *item) for item in estimate.streams.items()]
    yield from (*of_stacks[:1], *of_streams[:1], *of_stacks[1:], *of_streams[1:])


@dataclass(frozen=True)
class _Layer:
    """Bytes of one layer's attention: for each query, for each key, for each pair of them."""

    place: Place
    query: float
    key: float
    pair: int


def _sizes(evaluation: Evaluation | Overheard) -> tuple[float, float, int]:
    """Bytes for each query, each key, each pair; infinite where only weights can be kept."""
    pair = HALF * evaluation.n_heads
    if isinstance(evaluation, Overheard) or evaluation.mask.bias is not None:
        return math.inf, math.inf, pair
    key_heads, _, dim = evaluation.keys.shape
    return pair * dim, HALF * key_heads * dim, pair


class Footprint:
    """What a model leaves for each token, learnt from one run of it.

    places: where its attention modules belong.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._layers: dict[Place, _Layer] = {}
        self._states: dict[str, int] = {}

    def hear(self, name: str, evaluation: Evaluation | Overheard) -> None:
        """Learn how large one evaluation of this module is."""
        for place in self._places(name):
            self._layers[place] = _Layer(place, *_sizes(evaluation))

    def note(self, stream: str, state: Tensor) -> None:
        """Learn how large one hidden state of this stream is."""
        self._states[stream] = self._states.get(stream, 0) + HALF * state.shape[-1]

    def estimate(self, tables: Mapping[str, TokenTable]) -> Estimate:
        """What a trace of these tokens takes at most; stacks in the order of their streams."""
        order = list(tables)
        layers = [one for one in self._layers.values() if set(one.place.ends) <= tables.keys()]
        layers.sort(key=lambda one: [order.index(end) for end in one.place.ends])
        stacks: dict[str, int] = {}
        for layer in layers:
            queries, keys = (len(tables[end]) for end in layer.place.ends)
            apart = queries * layer.query + keys * layer.key
            size = min(apart, queries * keys * layer.pair)  # short stacks keep their weights
            stacks[layer.place.stack] = stacks.get(layer.place.stack, 0) + int(size)
        streams = {
            name: len(table) * self._states[name]
            for name, table in tables.items()
            if name in self._states
        }
        return Estimate(stacks, streams)

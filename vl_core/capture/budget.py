"""How much memory a trace will take, known before the model runs, and what is kept of it."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

from torch import Tensor

from vl_core.capture import keeping
from vl_core.capture.evaluation import Evaluation
from vl_core.capture.keeping import HALF, SINGLE
from vl_core.capture.places import Place, Places
from vl_core.capture.tapping import Overheard
from vl_core.errors import BudgetError
from vl_core.trace import TokenTable

if TYPE_CHECKING:
    from vl_core.capture.masks import LiveMask

DEFAULT = 2**30  # bytes of one trace

Heard = Sequence[Evaluation | Overheard]


def check(budget: int) -> None:
    """Raise BudgetError for what is no number of bytes; 0 is one, of which nothing is kept."""
    if not isinstance(budget, Real) or not float(budget) >= 0:
        raise BudgetError(
            f"A budget of {budget!r} came; a number of bytes from 0 on is wanted, such as "
            f"{DEFAULT} for a GiB."
        )


@dataclass(frozen=True)
class Estimate:
    """Bytes that a trace takes at most.

    stacks: of each layer's attention in each stack, by the layer's number. streams: of each
    stream's hidden states. masks: of the tables that layers share, which are kept in any case.
    """

    stacks: Mapping[str, Mapping[int, int]]
    streams: Mapping[str, int]
    masks: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        attention = sum(sum(layers.values()) for layers in self.stacks.values())
        return attention + sum(self.streams.values()) + self.masks


@dataclass(frozen=True)
class Plan:
    """What is kept: the attention of these layers of each stack, the hidden states of streams.

    What is not kept is measured all the same: head statistics take next to no room.
    """

    stacks: Mapping[str, Collection[int]]
    streams: Collection[str]

    @classmethod
    def within(cls, budget: int, estimate: Estimate) -> "Plan":
        """As much as fits into so many bytes.

        The first stack comes first, then the first stream; after them the other stacks and the
        other streams, in their order. Of a stack that does not fit, as many layers are kept as do:
        the last, the first and others evenly between them, to look through its whole depth. A
        stream's states are kept all or not at all. Smaller things may come in after what was left
        out.
        """
        stacks: dict[str, Collection[int]] = {}
        streams: list[str] = []
        left = budget - estimate.masks
        for name, layers in _by_worth(estimate):
            if layers is None:
                if estimate.streams[name] <= left:
                    streams.append(name)
                    left -= estimate.streams[name]
            else:
                stacks[name] = _spread(layers, left)
                left -= sum(layers[layer] for layer in stacks[name])
        return cls(stacks, streams)


def _by_worth(estimate: Estimate) -> Iterator[tuple[str, Mapping[int, int] | None]]:
    """Stacks with their layers, and streams without any; the most valuable first."""
    stacks = list(estimate.stacks.items())
    streams = [(name, None) for name in estimate.streams]
    yield from (*stacks[:1], *streams[:1], *stacks[1:], *streams[1:])


def _spread(layers: Mapping[int, int], room: int) -> tuple[int, ...]:
    """As many of these layers (number: bytes) as have room, evenly spread over the depth."""
    numbers = sorted(layers)
    last = len(numbers) - 1
    for count in range(len(numbers), 0, -1):
        steps = [last - round(step * last / max(1, count - 1)) for step in range(count)]
        chosen = sorted(numbers[step] for step in steps)
        if sum(layers[number] for number in chosen) <= room:
            return tuple(chosen)
    return ()


@dataclass(frozen=True)
class _Bytes:
    """For each query, for each key, for each pair of them."""

    query: float
    key: float
    pair: int

    def apart(self, n_queries: int, n_keys: int) -> float:
        """Of what grows with the tokens."""
        return n_queries * self.query + n_keys * self.key

    def pairs(self, n_queries: int, n_keys: int) -> int:
        """Of what grows with the pairs of tokens."""
        return n_queries * n_keys * self.pair


def _of_attention(evaluation: Evaluation | Overheard) -> _Bytes:
    """As queries and keys, which grow with tokens, or as weights; at most the smaller is kept.

    The former are infinite where only weights can be kept. Those of a float32 model may turn out
    to need all their digits.
    """
    pair = HALF * evaluation.n_heads
    if isinstance(evaluation, Overheard) or not keeping.follows_from_queries_keys(evaluation):
        return _Bytes(math.inf, math.inf, pair)
    heads, n_queries, dim = evaluation.queries.shape
    key_heads, n_keys, _ = evaluation.keys.shape
    if evaluation.mask.bias is not None and min(n_queries, n_keys) == 1:
        return _Bytes(math.inf, math.inf, pair)  # any bias of one row follows from distances
    number = HALF if keeping.is_half(evaluation) else SINGLE
    return _Bytes(number * heads * dim, number * key_heads * dim, pair)


def _of_mask(heard: Heard) -> _Bytes:
    """As a table of bytes, where it is one or may be of other tokens, and as a bias.

    Of the weights that are all there is, other tokens may leave zeros anywhere. A bias has two
    places, and a number of each head, for each distance. Of a layer in parts, such as tiles, each
    token has a row as long as a part.
    """
    one = heard[0]
    if isinstance(one, Overheard):
        bias, padding, has_table = 0, 1, True
    else:
        mask, distances = one.mask.description, one.mask.distances
        bias = 0 if distances is None else 8 + SINGLE * len(distances.values)
        padding = int(mask.is_padding is not None)
        has_table = mask.allowed is not None or (one.mask.is_given and mask.kind == "full")
    row = max(len(part.key_positions) for part in heard) if has_table and len(heard) > 1 else 0
    return _Bytes(bias + row, bias + padding, int(has_table and len(heard) == 1))


class Footprint:
    """What a model leaves for each token, learnt from one run of it.

    places: where its attention modules belong.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._layers: dict[Place, _Bytes] = {}
        # By the stack and by what has the mask: layers of one stack share what is one object.
        self._masks: dict[tuple[str, LiveMask | Place], tuple[Place, _Bytes]] = {}
        self._states: dict[str, int] = {}

    def hear(self, name: str, heard: Heard) -> None:
        """Learn how large the evaluations of this module are, as they came in one run.

        One place has all of them, of several each has its own.
        """
        places = self._places(name)
        parts = [heard] if len(places) == 1 else [[one] for one in heard]
        for place, own in zip(places, parts, strict=False):
            self._layers[place] = _of_attention(own[0])
            owner = place if isinstance(own[0], Overheard) else own[0].mask
            self._masks[place.stack, owner] = place, _of_mask(own)

    def note(self, stream: str, state: Tensor) -> None:
        """Learn how large one hidden state of this stream is."""
        self._states[stream] = self._states.get(stream, 0) + HALF * state.shape[-1]

    def estimate(self, tables: Mapping[str, TokenTable]) -> Estimate:
        """What a trace of these tokens takes at most; stacks in the order of their streams."""
        order = list(tables)
        layers = [place for place in self._layers if set(place.ends) <= tables.keys()]
        layers.sort(key=lambda place: [order.index(end) for end in place.ends])
        stacks: dict[str, dict[int, int]] = {}
        for place in layers:
            counts, size = _counts(place, tables), self._layers[place]
            least = min(size.apart(*counts), size.pairs(*counts))  # short stacks keep their weights
            stacks.setdefault(place.stack, {})[place.layer] = int(least)
        masks = sum(
            size.apart(*_counts(place, tables)) + size.pairs(*_counts(place, tables))
            for place, size in self._masks.values()
            if set(place.ends) <= tables.keys()
        )
        streams = {
            name: len(table) * self._states[name]
            for name, table in tables.items()
            if name in self._states
        }
        return Estimate(stacks, streams, int(masks))


def _counts(place: Place, tables: Mapping[str, TokenTable]) -> tuple[int, int]:
    """How many queries and keys there are."""
    queries, keys = (len(tables[end]) for end in place.ends)
    return queries, keys

"""Which tokens of a stack are sinks, in which layers, by which rule, and what falls on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vl_core.arrays import HeadMap, KeyMask, KeysByLayer, QueryMask
from vl_core.sinks import activations
from vl_core.sinks.exclusion import Row
from vl_core.sinks.kinds import (
    FIRST,
    KINDS,
    LIFT,
    MASSIVE,
    MEASURED,
    OUTLIER,
    OUTLIER_PATCH,
    SPECIAL,
    VISUAL,
    WHOLE_QUERY,
    SinkKind,
)
from vl_core.sinks.order import first_token
from vl_core.sinks.receiving import Received, received
from vl_core.trace import Stack, Stream, Trace
from vl_core.uniform import uniform_shares


class Sink(NamedTuple):
    """A key that is a sink: its position, by which rules, and its share of some attention."""

    key: int
    kinds: tuple[SinkKind, ...]
    share: float


class Finding(NamedTuple):
    """What one rule found: layer x key, and in a sentence why it found nothing if it did not."""

    keys: KeysByLayer
    why_none: str


@dataclass(frozen=True, eq=False)
class Sinks:
    """The sinks of a stack.

    by_structure: for each kind but MEASURED, by its key, what its rule found; these rules go
    through tokens and hidden states alone. What goes through all of the attention is computed once
    it is asked for, and then kept.
    """

    stack: Stack
    by_structure: Mapping[str, Finding]

    @cached_property
    def received(self) -> Received:
        """What every key receives."""
        return received(self.stack)

    @cached_property
    def _measured(self) -> Finding:
        return _measured(self.received)

    def found(self, kind: SinkKind) -> Finding:
        """What the rule of this kind found."""
        return self._measured if kind is MEASURED else self.by_structure[kind.key]

    def present(self, kinds: Iterable[SinkKind] = KINDS) -> tuple[SinkKind, ...]:
        """Those of these kinds of which there is any."""
        return tuple(kind for kind in kinds if self.found(kind).keys.any())

    def keys(self, kinds: Iterable[SinkKind] = KINDS) -> KeysByLayer:
        """Which keys of each layer are sinks of any of these kinds."""
        marked = np.zeros((self.stack.n_layers, len(self.stack.keys)), bool)
        for kind in kinds:
            marked |= self.found(kind).keys
        return marked

    def removed(self, kinds: Iterable[SinkKind] = KINDS) -> HeadMap:
        """The share of a word's or patch's attention that these sinks take together.

        It is what leaving them out removes; nan where no word or patch looks.
        """
        return self.received.on(self.keys(kinds))

    def uniform(
        self, queries: QueryMask, layer: int | None = None, kinds: Sequence[SinkKind] = KINDS
    ) -> float:
        """The share that these sinks would take together if queries looked at all they may alike.

        Of these queries, in a layer or as a mean over all of them, in each of which its own sinks
        count; nan where none of the queries looks. What takes less is no sink of attention, by
        whatever rule it was found.
        """
        layers = range(self.stack.n_layers) if layer is None else [layer]
        shares = uniform_shares(self.stack, queries, layers)
        of_layers = np.einsum("lk,lk->l", shares, self.keys(kinds)[list(layers)].astype(float))
        present = of_layers[~np.isnan(of_layers)]
        return float(present.mean()) if len(present) else float("nan")

    def listed(
        self, shares: Row, layer: int | None = None, kinds: Sequence[SinkKind] = KINDS
    ) -> list[Sink]:
        """The sinks of a layer, or of any layer, with their shares of some attention.

        The greatest comes first. shares: one number for each key, as `mean_row` gives them.
        """
        layers = slice(None) if layer is None else slice(layer, layer + 1)
        marks = {k: np.asarray(self.found(k).keys[layers].any(axis=0)) for k in kinds}
        found = []
        for key in np.flatnonzero(self.keys(kinds)[layers].any(axis=0)):
            by = tuple(kind for kind, is_one in marks.items() if is_one[key])
            found.append(Sink(int(key), by, float(shares[key])))
        return sorted(found, key=lambda sink: -sink.share)


def find(trace: Trace, stack_name: str) -> Sinks:
    """The sinks of one of the trace's stacks; raises NameOfNoneError for the name of none."""
    stack = trace.stacks[stack_name]
    stream = trace.streams[stack.key_stream]
    no_special = "No special token is looked at in this stack."
    found = {
        SPECIAL: _everywhere(stack, stack.keys.is_special, no_special),
        FIRST: _first(stack),
        VISUAL: _visual(stack, stream),
        OUTLIER_PATCH: _outliers(stack, stream),
    }
    return Sinks(stack, {kind.key: finding for kind, finding in found.items()})


def _everywhere(stack: Stack, keys: KeyMask, why_none: str) -> Finding:
    """The same keys in every layer."""
    return _finding(np.repeat(keys[None], stack.n_layers, axis=0), why_none)


def _finding(keys: KeysByLayer, why_none: str) -> Finding:
    return Finding(keys, "" if keys.any() else why_none)


def _first(stack: Stack) -> Finding:
    first = first_token(stack)
    is_first = np.zeros(len(stack.keys), bool)
    if first is not None:
        is_first[first] = True
    return _everywhere(stack, is_first, "No token of this stack looks at itself alone.")


def _measured(got: Received) -> Finding:
    most = np.nanmax(got.lift, initial=0)
    # nan compares as false: what no other token may look at is no sink.
    return _finding(
        (got.lift > LIFT) & (got.total > WHOLE_QUERY),
        f"No token receives both more than {LIFT:g} times what uniform attention would give it "
        f"and, in all, more than one token has to give; the most is {most:.3g} times.",
    )


def _visual(stack: Stack, stream: Stream) -> Finding:
    nothing = np.zeros((stack.n_layers, len(stack.keys)), bool)
    references = stack.keys.is_special.copy()
    first = first_token(stack)
    if first is not None:
        references[first] = True
    why = _why_no_states(stack, stream) or _why_none_massive(stream, references)
    if why:
        return Finding(nothing, why)
    peaks = activations.peaks(stream, stack.layers, references)
    dimensions = np.flatnonzero(peaks > MASSIVE)
    if not len(dimensions):
        why = f"No dimension of a special or first token is massive; {_most(peaks)}"
        return Finding(nothing, why)
    scores = activations.massiveness(stream, stack.layers, dimensions)
    return _finding(
        (scores > MASSIVE) & stack.keys.is_image,
        f"{len(dimensions)} of {len(peaks)} dimensions are massive in special or first tokens, but "
        f"in no patch; {_most(scores[:, stack.keys.is_image])}",
    )


def _most(scores: Float[np.ndarray, "..."]) -> str:
    return (
        f"the most is {scores.max(initial=0):.3g} times the root mean square, and {MASSIVE:g} "
        "times are wanted."
    )


def _outliers(stack: Stack, stream: Stream) -> Finding:
    nothing, patches = np.zeros((stack.n_layers, len(stack.keys)), bool), stack.keys.is_image
    why = _why_no_states(stack, stream)
    if not why and stack.keys.is_text.any():
        why = "Words and patches share this stream; the rule is for a vision tower."
    if why:
        return Finding(nothing, why)
    scores = activations.norms(stream, stack.layers, patches)
    return _finding(
        (scores > OUTLIER) & patches,
        f"No patch has more than {OUTLIER:g} times the median patch's norm; the most is "
        f"{np.nanmax(scores[:, patches], initial=0):.3g} times.",
    )


def _why_no_states(stack: Stack, stream: Stream) -> str:
    """In a sentence, why nothing can be said by the hidden states of patches; "" if it can."""
    if not stack.keys.is_image.any():
        return "No patch is looked at in this stack."
    if not stack.is_self_attention:
        return (
            "One stream looks at another here, and the trace does not say with which hidden states "
            "the other's tokens enter each layer."
        )
    if max(stack.layers) >= len(stream.packed_states):
        return "The hidden states that enter these layers were not kept."
    return ""


def _why_none_massive(stream: Stream, references: KeyMask) -> str:
    if not references.any():
        return "There is no special or first token to find massive dimensions in."
    width = stream.packed_states.shape[2]
    if width <= MASSIVE**2:
        return (
            f"With {width} dimensions none can exceed {np.sqrt(width):.3g} times the root mean "
            f"square of all, and {MASSIVE:g} times are wanted."
        )
    return ""

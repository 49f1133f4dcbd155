"""Which part of a trace goes into a page, and what is said of the rest."""

from dataclasses import dataclass

from vl_core import wire
from vl_core.errors import TraceError
from vl_core.linked_view.choice import PlainChoice
from vl_core.linked_view.delivery import WHOLE_BYTES, is_whole
from vl_core.linked_view.telling import telling_head, telling_stack, telling_tokens
from vl_core.trace import Stack, Trace

MB = 2**20


@dataclass(frozen=True, eq=False)
class Part:
    """A stack as the page holds it.

    stack: with the page's layers only. choice: what is shown first, within that stack. has_all:
    whether all layers that were kept are there. notes: sentences on those that are not.
    """

    stack: Stack
    choice: PlainChoice
    has_all: bool
    notes: tuple[str, ...]


def part_of(trace: Trace, name: str | None, layer: int | None) -> Part:
    """All kept layers of a stack, or one of them where all would be too much for a page.

    name, layer: what tells most if None. Raises TraceError for what the trace does not have.
    """
    whole = _stack_called(trace, name)
    kept = whole.kept_layers
    first, head = _first(whole, layer)
    has_all = is_whole(whole.of_layers(kept))
    layers = kept if has_all else (first,)
    stack = whole.of_layers(layers)
    choice = PlainChoice(layers.index(first), head, telling_tokens(stack))
    return Part(stack, choice, has_all, tuple(_notes(whole, layers)))


def _stack_called(trace: Trace, name: str | None) -> Stack:
    found = trace.stacks.get(telling_stack(trace) if name is None else name)
    if found is None:
        raise TraceError(f"No stack {name!r} in this trace; it has {', '.join(trace.stacks)}.")
    if not found.kept_layers:
        raise TraceError(
            f"Of stack {found.name} the trace kept statistics and no attention; a larger budget "
            "of Model.trace keeps it."
        )
    return found


def _first(stack: Stack, layer: int | None) -> tuple[int, int]:
    """The layer and the head to begin with, counted within the stack."""
    kept = stack.kept_layers
    if layer is None:
        place, head = telling_head(stack.of_layers(kept))
        return kept[place], head
    if layer not in kept:
        raise TraceError(
            f"No attention of layer {layer} of stack {stack.name}; counted from 0, there is that "
            f"of {', '.join(map(str, kept))}."
        )
    return layer, telling_head(stack.of_layers([layer]))[1]


def _notes(whole: Stack, layers: tuple[int, ...]) -> list[str]:
    kept = whole.kept_layers
    notes = []
    if len(kept) < whole.n_layers:
        notes.append(f"The trace kept the attention of {len(kept)} of {whole.n_layers} layers.")
    if len(layers) < len(kept):
        (one,) = layers
        number = whole.layers[one] + 1
        notes.append(
            f"Only layer {number} (layer={one}) is on this page, with {_mb(whole, layers)}: all "
            f"{len(kept)} layers take {_mb(whole, kept)}, more than the {WHOLE_BYTES // MB} MB "
            "that a page is given. Another one is shown by linked_view(trace, layer=…)."
        )
    return notes


def _mb(stack: Stack, layers: tuple[int, ...]) -> str:
    return f"{sum(wire.sizes(stack.blocks[layer]).bytes for layer in layers) / MB:.1f} MB"

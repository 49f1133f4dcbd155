"""A stack of which not all layers were kept, looked through as the stack of those that were."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pages.shared import session
from pages.shared.selection import Selection
from vl_core.counted import counted
from vl_core.trace import Stack, Trace

LISTED = 8  # layers that a sentence lists


def listed(numbers: Collection[int], count: int) -> str:
    """Which layers these are (by the model's own numbers) of so many, in a few words."""
    if len(numbers) > LISTED:
        return f"{len(numbers)} of {count} layers"
    *some, last = [str(number + 1) for number in sorted(numbers)]
    return f"layers {', '.join(some)} and {last}" if some else f"layer {last}"


@dataclass(frozen=True, eq=False)
class KeptLayers:
    """The layers of a stack that were kept; layers within it count anew.

    whole: the trace. stack: one of its own, of which some layers were kept.
    """

    whole: Trace
    stack: Stack

    @property
    def places(self) -> Sequence[int]:
        """Where in the stack they are."""
        return self.stack.kept_layers

    @property
    def trace(self) -> Trace:
        """The trace as if the stack had these layers only."""
        if self.stack.is_kept:
            return self.whole
        name = self.stack.name

        def found() -> Trace:
            stacks = dict(self.whole.stacks) | {name: self.stack.of_layers(self.places)}
            return replace(self.whole, stacks=stacks)

        return session.remembered(("kept layers", name), found)

    def within(self, chosen: Selection) -> Selection:
        """The selection in terms of the kept layers; of a layer that was not kept, the nearest."""
        nearest = min(self.places, key=lambda place: abs(place - chosen.layer))
        return replace(chosen, layer=self.places.index(nearest))

    def said(self, chosen: Selection) -> str:
        """Which there are, and which is on show in place of the selected one; empty if all are."""
        stack, layer = self.stack, self.places[self.within(chosen).layer]
        if stack.is_kept:
            return ""
        numbers = [stack.layers[place] for place in self.places]
        said = (
            f"Of this stack's {counted(stack.n_layers, 'layer')}, the attention of "
            f"{listed(numbers, stack.n_layers)} was kept, and means over layers are over these: "
            "more did not fit the memory allowed for one analysis. The statistics of all heads "
            "were measured and stand on the heads page."
        )
        if layer != chosen.layer:
            asked, shown = stack.layers[chosen.layer] + 1, stack.layers[layer] + 1
            said += f" Layer {shown} is shown in place of layer {asked}."
        return said

"""From the evaluations of a run to the stacks of a trace, with their head statistics."""

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

from vl_core.capture import keeping
from vl_core.capture.evaluation import Evaluation
from vl_core.capture.finite import not_finite
from vl_core.capture.places import Place, Places
from vl_core.capture.reconstruction import reconstruction_error
from vl_core.capture.tapping import Overheard
from vl_core.errors import ModelError
from vl_core.example import Region
from vl_core.head_stats import Measuring
from vl_core.trace import Block, KeptNothing, Stack, TokenTable


class Gathering:
    """Stacks that grow while the model runs.

    Each evaluation is measured and brought into the form that a trace keeps as soon as it is
    heard, so that what the model holds of it can go.

    places: where the module of that name belongs. One place: all its evaluations, in the order
    they come, are parts of that layer and lie one after the other in its streams. Several: the
    first evaluation belongs to the first, and so on. None: a module without attention. tables:
    the tokens of each stream. keeps: for each stack the layers (by the model's own numbers) whose
    attention is kept and not only measured; None for all.
    """

    def __init__(
        self,
        places: Places,
        tables: Mapping[str, TokenTable],
        regions: tuple[Region, ...] = (),
        keeps: Mapping[str, Collection[int]] | None = None,
    ) -> None:
        self._places, self._tables, self._regions = places, tables, regions
        self._keeps = keeps
        self._heard: Counter[str] = Counter()
        self._modules: dict[Place, str] = {}
        self._blocks: dict[Place, list[Block]] = {}
        self._measuring: dict[str, Measuring] = {}
        self._first: dict[str, Place] = {}
        self.row_reconstruction = 0.0

    @property
    def streams(self) -> Collection[str]:
        """The streams that this run has."""
        return self._tables.keys()

    def hear(self, name: str, evaluation: Evaluation | Overheard) -> None:
        """Take in one evaluation.

        Raises ModelError if it has no place or another one's, or is not finite.
        """
        place = self._place(name)
        evaluation = self._moved(place, evaluation)
        block = keeping.block(evaluation)
        error = reconstruction_error(block, evaluation)
        if not math.isfinite(error):
            raise not_finite("this example", f"in the attention of {name}")
        if self._keeps is not None and place.layer not in self._keeps.get(place.stack, ()):
            block = replace(block, kept=KeptNothing(block.kept.shape, block.kept.mask))
        self._blocks.setdefault(place, []).append(block)
        self._measuring[place.stack].add(place.layer, evaluation)
        self.row_reconstruction = max(self.row_reconstruction, error)

    def _place(self, name: str) -> Place:
        places, number = self._places(name), self._heard[name]
        self._heard[name] += 1
        if not places or (len(places) > 1 and number >= len(places)):
            raise ModelError(
                f"The family's adapter has {len(places)} places for the attention of {name}, which "
                f"was evaluated {number + 1} times. It must place each evaluation."
            )
        place = places[number if len(places) > 1 else 0]
        if place not in self._modules:
            self._open(name, place)
        if self._modules[place] != name:
            raise ModelError(
                f"The family's adapter places two modules in layer {place.layer} of stack "
                f"{place.stack}. Each must have a layer of its own."
            )
        return place

    def _open(self, name: str, place: Place) -> None:
        """Make room for a layer; all layers of a stack look from one stream at one."""
        first = self._first.setdefault(place.stack, place)
        if first.ends != place.ends:
            ends = ("<-".join(one.ends) for one in (first, place))
            raise ModelError(
                f"The family's adapter places attention of {' and '.join(sorted(ends))} in one "
                f"stack, {place.stack}. It must name a stack for each."
            )
        self._modules[place] = name
        if place.stack not in self._measuring:
            queries, keys = (self._tables[end] for end in place.ends)
            self._measuring[place.stack] = Measuring(queries, keys, self._regions)

    def _moved(self, place: Place, evaluation: Evaluation | Overheard) -> Evaluation | Overheard:
        """The evaluation after those of its layer that came before it."""
        before = self._blocks.get(place)
        if not before:
            return evaluation
        _, queries, keys = zip(*(block.kept.shape for block in before), strict=True)
        return replace(evaluation, first_query=sum(queries), first_key=sum(keys))

    def stacks(self) -> dict[str, Stack]:
        """The stacks of the run, in the order of the streams that look."""
        order = list(self._tables)
        ends = {name: [order.index(end) for end in one.ends] for name, one in self._first.items()}
        return {name: self._stack(name) for name in sorted(ends, key=lambda name: ends[name])}

    def _stack(self, name: str) -> Stack:
        places = sorted(place for place in self._blocks if place.stack == name)
        first = places[0]
        return Stack(
            name,
            first.query_stream,
            first.key_stream,
            self._tables[first.query_stream],
            self._tables[first.key_stream],
            layers=tuple(place.layer for place in places),
            blocks=tuple(tuple(self._blocks[place]) for place in places),
            head_stats=self._measuring[name].finished(),
            regions=self._regions,
        )

"""From the evaluations of a run to the stacks of a trace, with their head statistics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vl_core import head_stats
from vl_core.capture import keeping
from vl_core.capture.evaluation import Evaluation
from vl_core.errors import ModelError
from vl_core.example import Region
from vl_core.trace import Stack, TokenTable


@dataclass(frozen=True, order=True)
class Place:
    """Where an attention module belongs: stack, streams and the model's own layer number."""

    stack: str
    query_stream: str
    key_stream: str
    layer: int


def stacks(
    evaluations: Mapping[str, Sequence[Evaluation]],
    place: Callable[[str], Place | None],
    tables: Mapping[str, TokenTable],
    regions: tuple[Region, ...] = (),
) -> dict[str, Stack]:
    """The stacks of a run, statistics measured on the live weights.

    place: where the module of that name belongs, None for one without attention. tables: the
    tokens of each stream. Raises ModelError if modules are placed where they cannot stand together.
    """
    layers: dict[str, list[tuple[Place, Sequence[Evaluation]]]] = {}
    for name, heard in evaluations.items():
        found = place(name)
        if found is not None:
            layers.setdefault(found.stack, []).append((found, heard))
    return {
        name: _stack(sorted(members, key=lambda member: member[0]), tables, regions)
        for name, members in layers.items()
    }


def _stack(
    members: Sequence[tuple[Place, Sequence[Evaluation]]],
    tables: Mapping[str, TokenTable],
    regions: tuple[Region, ...],
) -> Stack:
    _check_places([place for place, _ in members])
    first = members[0][0]
    queries, keys = tables[first.query_stream], tables[first.key_stream]
    live = [heard for _, heard in members]
    return Stack(
        first.stack,
        first.query_stream,
        first.key_stream,
        queries,
        keys,
        layers=tuple(place.layer for place, _ in members),
        blocks=tuple(tuple(map(keeping.block, heard)) for heard in live),
        head_stats=head_stats.measure(live, queries, keys, regions),
        regions=regions,
    )


def _check_places(places: Sequence[Place]) -> None:
    """All modules of a stack look from one stream at one, and each is a layer of its own."""
    if len({(place.query_stream, place.key_stream) for place in places}) > 1:
        ends = sorted({f"{place.query_stream}<-{place.key_stream}" for place in places})
        raise ModelError(
            f"The family's adapter places attention of {' and '.join(ends)} in one stack, "
            f"{places[0].stack}. It must name a stack for each."
        )
    for one, other in pairwise(sorted(place.layer for place in places)):
        if one == other:
            raise ModelError(
                f"The family's adapter places two modules in layer {one} of stack "
                f"{places[0].stack}. Each must have a layer of its own."
            )

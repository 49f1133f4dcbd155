"""From the evaluations of a run to the stacks of a trace, with their head statistics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vl_core import head_stats
from vl_core.capture import keeping
from vl_core.capture.evaluation import Evaluation
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
    tokens of each stream.
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

"""A stack in which nobody looks at some keys, and the rows that are left.

A row is divided by what is left of it; one with nothing left is missing and takes part in no mean.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float

from vl_core.arrays import KeyMask, KeysByLayer
from vl_core.errors import TraceError
from vl_core.row_slices import slices
from vl_core.trace import Block, Kept, KeptWeights, Mask, Stack
from vl_core.trace.weights import HEADS_BUDGET

Row = Float[np.ndarray, "key"]


@dataclass(frozen=True, eq=False)
class _Reduced(Stack):
    """A stack made of the blocks of one that was checked, less some keys."""

    def _check_layer(self, number: int, layer: tuple[Block, ...]) -> None:
        """Nothing to check: a head's row with nothing left is all zero, which no stack begins as.

        Going through all queries and keys once more would also take most of the time.
        """


def without(stack: Stack, keys: KeyMask | KeysByLayer, name: str | None = None) -> Stack:
    """The stack without attention on these keys, each row divided by what is left of it.

    All tokens stay where they are, and those left out as keys still look as queries; every
    statistic works on the result, and counts what is left out among the keys that may not be
    looked at. keys: the same for all layers, or layer x key. name: what the result is called, for
    those who remember results by the name of a stack. Stored statistics are dropped: they belong
    to the whole stack. Raises TraceError for a mask of another size.
    """
    dropped = by_layer(stack, keys)
    blocks = tuple(
        tuple(_block(block, of_layer) for block in layer)
        for layer, of_layer in zip(stack.blocks, dropped, strict=True)
    )
    parts = {field.name: getattr(stack, field.name) for field in fields(stack)}
    changes = {"blocks": blocks, "head_stats": {}, "name": name or stack.name}
    return _Reduced(**(parts | changes))


def by_layer(stack: Stack, keys: KeyMask | KeysByLayer) -> KeysByLayer:
    """The keys of each layer; raises TraceError for a mask that does not fit the stack."""
    wanted = stack.n_layers, len(stack.keys)
    if keys.shape not in {wanted, wanted[1:]}:
        raise TraceError(
            f"stack {stack.name}: keys to leave out of shape {keys.shape}, wanted {wanted[1]} "
            f"keys, or {wanted[0]} layers x {wanted[1]} keys"
        )
    return np.broadcast_to(keys, wanted)


def _block(block: Block, dropped: KeyMask) -> Block:
    here = dropped[block.key_positions]
    return replace(block, kept=_kept(block.kept, here)) if here.any() else block


def _kept(kept: Kept, dropped: KeyMask) -> Kept:
    hidden = dropped if kept.mask.is_padding is None else dropped | kept.mask.is_padding
    # As padding: no table of query x key is formed, and layers that drop the same keys share it.
    mask: Mask = replace(kept.mask, is_padding=hidden)
    if not isinstance(kept, KeptWeights):
        return replace(kept, mask=mask)  # a softmax over fewer keys is the old row, renormalised
    # Whoever asks for rows is given each divided by its sum; rounding it here would cost digits.
    return KeptWeights(np.where(dropped, np.float16(0), kept.values), mask)


def mean_row(
    stack: Stack,
    layer: int | None,
    head: int | None,
    queries: Sequence[int],
    on: KeyMask | KeysByLayer | None = None,
) -> Row:
    """What these queries look at: the mean of their rows over layers, heads and queries.

    None is all layers, or all heads. Rows that look at nothing are missing and do not count; nan
    if all are. on: only what falls on these keys, in each layer on its own; the rest is 0.
    """
    layers = range(stack.n_layers) if layer is None else [layer]
    wanted = None if on is None else by_layer(stack, on)
    total, count = np.zeros(len(stack.keys)), 0
    for one in layers:
        for rows in _rows(stack, one, head, queries):
            count += int(rows.any(axis=-1).sum())
            added = rows.sum(axis=(0, 1), dtype=np.float64)
            total += added if wanted is None else added * wanted[one]
    return total / count if count else np.full(len(total), np.nan)


def _rows(
    stack: Stack, layer: int, head: int | None, queries: Sequence[int]
) -> Iterator[Float[np.ndarray, "head query key"]]:
    """The rows of these queries, as many rows and heads at a time as stay within the budget."""
    row_bytes = 4 * len(stack.keys)
    for run in _runs(queries, max(1, HEADS_BUDGET // row_bytes)):
        whole = slices(stack.n_heads, HEADS_BUDGET // (row_bytes * (run.stop - run.start)))
        for heads in whole if head is None else [slice(head, head + 1)]:
            yield stack.weights[layer, heads, run]


def _runs(queries: Sequence[int], most: int) -> list[slice]:
    """The queries as slices of so many at most, as long as can be.

    A block reads all its keys anew for each slice that it is asked for.
    """
    chosen = np.unique(np.array(queries, int))
    parts = np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1)
    runs = [(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]
    return [
        slice(start, min(start + most, end))
        for first, end in runs
        for start in range(first, end, most)
    ]

"""What one head looks at most, found in blocks of rows: its weights may be too many to form."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from vl_core.arrays import QueryMask, TokenMask
from vl_core.trace import Stack, TokenTable

Rows = Float32[np.ndarray, "row key"]
Received = Float[np.ndarray, "key"]

BLOCK_BYTES = 8 * 2**20  # of weights that are formed together, all heads of a mean counted


class Pair(NamedTuple):
    """A query that looks at a key, by position, with the weight between them."""

    query: int
    key: int
    weight: float


@dataclass(frozen=True, eq=False)
class Looks:
    """Where a head's attention goes, or that of the mean over a layer's heads.

    pairs: the greatest weights from one token to another, greatest first; weights of 0 are none.
    received: for each of the given sets of queries the share of their attention that each key
    gets; nan if no query of the set looks anywhere.
    """

    pairs: tuple[Pair, ...]
    received: tuple[Received, ...]


def looks(
    stack: Stack,
    layer: int,
    head: int | None,
    looking: tuple[QueryMask, ...],
    *,
    count: int,
    with_specials: bool = True,
) -> Looks:
    """What the head looks at: its `count` strongest pairs, and what each set of queries looks at.

    Rows and columns of padding, and of specials without them, take no part, and each row is
    divided by what is left of it. Without a head, of the mean over the layer's heads.
    """
    pairs: list[Pair] = []
    totals = np.zeros((len(looking), len(stack.keys)))
    counts = np.zeros(len(looking))
    for start, rows in _blocks(stack, layer, head, with_specials=with_specials):
        pairs = _strongest([*pairs, *_candidates(rows, start, count)], count)
        looks_anywhere = rows.sum(axis=1) > 0  # a fully masked query looks at nothing
        for number, queries in enumerate(looking):
            chosen = queries[start : start + len(rows)] & looks_anywhere
            totals[number] += chosen.astype(np.float32) @ rows
            counts[number] += chosen.sum()
    missing = np.full_like(totals, np.nan)
    received = np.divide(totals, counts[:, None], out=missing, where=counts[:, None] > 0)
    return Looks(tuple(pairs), tuple(received))


def _blocks(
    stack: Stack, layer: int, head: int | None, *, with_specials: bool
) -> Iterator[tuple[int, Rows]]:
    """The rows in their order, some at a time, each block with the number of its first row."""
    n_formed = stack.n_heads if head is None else 1
    step = max(1, BLOCK_BYTES // (4 * n_formed * max(1, len(stack.keys))))
    out = _left_out(stack.queries, with_specials=with_specials)
    no_key = _left_out(stack.keys, with_specials=with_specials)
    for start in range(0, len(stack.queries), step):
        some = slice(start, start + step)
        weights = stack.weights
        rows = weights[layer, :, some].mean(axis=0) if head is None else weights[layer, head, some]
        rows[out[some]] = 0
        yield start, _without(rows, no_key) if no_key.any() else rows


def _left_out(tokens: TokenTable, *, with_specials: bool) -> TokenMask:
    return tokens.is_padding if with_specials else tokens.is_padding | tokens.is_special


def _without(rows: Rows, keys: TokenMask) -> Rows:
    """The rows without these keys, each divided by what is left of it."""
    rows[:, keys] = 0
    left = rows.sum(axis=1, keepdims=True)
    return np.divide(rows, left, out=rows, where=left > 0)


def _candidates(rows: Rows, start: int, count: int) -> list[Pair]:
    """The strongest pairs of a block, and of those that are equally strong the first."""
    flat = rows.ravel()
    # As many rows have a weight that is as great, so no smaller one is wanted.
    highest = np.sort(rows.max(axis=1))
    least = highest[-count] if len(highest) >= count else np.float32(0)
    places = [*np.flatnonzero(flat > least), *np.flatnonzero(flat == least)[:count]]
    found = (divmod(int(place), rows.shape[1]) for place in places if flat[place] > 0)
    return [Pair(start + row, key, float(rows[row, key])) for row, key in found]


def _strongest(pairs: list[Pair], count: int) -> list[Pair]:
    """Of equal ones those that come first."""
    return sorted(pairs, key=lambda pair: (-pair.weight, pair.query, pair.key))[:count]

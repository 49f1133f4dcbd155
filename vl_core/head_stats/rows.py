"""Who looks at what in some rows of attention, the same for every head.

Rows come from a source, live or stored. What several statistics need is computed once.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int

from vl_core.arrays import QueryMask
from vl_core.head_stats.tables import Boxed, Tables

if TYPE_CHECKING:
    import torch

KINDS = ("text", "image", "special", "placed", "any")


@runtime_checkable
class RowSource(Protocol):
    """One attention evaluation that gives out its rows: live while a model runs, or stored.

    query_positions and key_positions say which tokens of the stack's streams its queries and keys
    are; each query of a layer appears in exactly one source of that layer.
    """

    @property
    def query_positions(self) -> Int[np.ndarray, "query"]:
        """Which token of the query stream each query is."""

    @property
    def key_positions(self) -> Int[np.ndarray, "key"]:
        """Which token of the key stream each key is."""

    @property
    def n_heads(self) -> int:
        """How many heads there are."""

    def rows(self, heads: slice, queries: slice) -> "torch.Tensor":
        """Weights (head x row x key), float32 or float64; the caller does not change them."""

    def allowed(self, queries: slice) -> "torch.Tensor":
        """Which keys each of these queries may look at (row x key, bool)."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Some queries of one source and what they may look at, the same for every head.

    allowed: row x key; padding is never allowed. like: a tensor with the weights' type and device.
    With `with_specials` false, special tokens neither look nor are looked at.
    """

    tables: Tables
    query_positions: Int[np.ndarray, "row"]
    key_positions: Int[np.ndarray, "key"]
    allowed: "torch.Tensor"
    like: "torch.Tensor"
    with_specials: bool = True

    @cached_property
    def without_specials(self) -> "Rows":
        """The same rows, with special tokens neither looking nor looked at."""
        is_special = self.tables.keys.is_special[self.key_positions]
        kept = self.allowed & self.allowed.new_tensor(~is_special)
        return replace(self, allowed=kept, with_specials=False)

    def numbers(self, array: np.ndarray) -> "torch.Tensor":
        """The array as a tensor that goes with the weights."""
        return self.like.new_tensor(array)

    @cached_property
    def counts(self) -> QueryMask:
        """Queries that count at all: no padding, and no special token where those are dropped."""
        kind = self.tables.query_kinds
        counted = kind["any"] if self.with_specials else kind["any"] & ~kind["special"]
        return counted[self.query_positions]

    @cached_property
    def _chosen(self) -> "torch.Tensor":
        kinds = self.tables.query_kinds
        of_kind = np.stack([kinds[kind][self.query_positions] for kind in KINDS])
        return self.numbers(of_kind & self.counts)

    def chosen(self, kind: str = "any") -> "torch.Tensor":
        """1 for each query of this kind that counts, else 0."""
        return self._chosen[KINDS.index(kind)]

    def has_keys(self, kind: str, at_least: int = 1) -> bool:
        """Whether the stack has so many keys of this kind, in this block or in another."""
        if kind == "special" and not self.with_specials:
            return False
        return int(self.tables.key_kinds[kind].sum()) >= at_least

    @cached_property
    def key_groups(self) -> "torch.Tensor":
        """Kind x key: 1 where a key is of that kind, in the order of KINDS."""
        kinds = self.tables.key_kinds
        return self.numbers(np.stack([kinds[kind][self.key_positions] for kind in KINDS]))

    @cached_property
    def _n_allowed(self) -> "torch.Tensor":
        return self.key_groups @ self.allowed.to(self.like.dtype).T

    def n_allowed(self, kind: str = "any") -> "torch.Tensor":
        """For each query, how many keys of this kind it may look at."""
        return self._n_allowed[KINDS.index(kind)]

    def uniform(self, kind: str) -> "torch.Tensor":
        """For each query, the mass on this kind if it looked at all its allowed keys alike."""
        return self.n_allowed(kind) / self.n_allowed().clamp(min=1)

    @cached_property
    def same(self) -> "tuple[torch.Tensor, torch.Tensor]":
        """Row and column of the weight of each query on itself, of those that may look there."""
        return self._steps_back(0)

    @cached_property
    def previous(self) -> "tuple[torch.Tensor, torch.Tensor]":
        """Row and column of the weight of each query on the token before it, where it may look."""
        return self._steps_back(1)

    def _steps_back(self, steps: int) -> "tuple[torch.Tensor, torch.Tensor]":
        n_tokens = max(len(self.tables.queries), len(self.tables.keys))
        column_of = np.full(n_tokens + 1, -1)  # the last entry, -1, is no token
        # In cross-attention the positions of queries and keys have nothing to do with each other.
        if self.tables.is_self_attention:
            column_of[self.key_positions] = np.arange(len(self.key_positions))
        columns = column_of[self.query_positions - steps]
        found = np.flatnonzero(columns >= 0)
        row, column = self._indices(found), self._indices(columns[found])
        may = self.allowed[row, column]
        return row[may], column[may]

    @cached_property
    def patches(self) -> tuple[slice, slice]:
        """The rows and keys between which all patches with a place lie, as slices."""
        queries, keys = self.tables.query_kinds["placed"], self.tables.key_kinds["placed"]
        return _span(queries[self.query_positions]), _span(keys[self.key_positions])

    @cached_property
    def distances(self) -> "torch.Tensor":
        """Row x key within `patches`: how far apart the centres are, in patches; 0 without one."""
        rows, keys = self.patches
        here = self.numbers(self.tables.queries.centres[self.query_positions[rows]])
        there = self.numbers(self.tables.keys.centres[self.key_positions[keys]])
        return (here[:, None] - there).square().sum(dim=-1).sqrt().nan_to_num(nan=0.0)

    @cached_property
    def boxed_words(self) -> "BoxedRows":
        """Those of these rows that are words with a box."""
        return self._boxed(self.tables.boxed_words)

    @cached_property
    def boxed_class(self) -> "BoxedRows":
        """That of these rows that is the class token, if the boxes asked about are known."""
        return self._boxed(self.tables.boxed_class)

    def _boxed(self, boxed: Boxed) -> "BoxedRows":
        number_of = np.full(len(self.tables.queries), -1)
        number_of[boxed.queries] = np.arange(len(boxed.queries))
        numbers = number_of[self.query_positions]
        here = np.flatnonzero((numbers >= 0) & self.counts)
        indices, columns = self._indices(here), self.key_positions
        placed = self.allowed[indices] * self.key_groups[KINDS.index("placed")]
        inside, hits = (self.numbers(part[numbers[here]][:, columns]) for part in boxed[1:])
        return BoxedRows(indices, inside * placed, hits * placed, placed)

    def _indices(self, array: np.ndarray) -> "torch.Tensor":
        return self.allowed.new_empty(0).long().new_tensor(array)


@dataclass(frozen=True, eq=False)
class BoxedRows:
    """Those of some rows whose queries have boxes in the picture, and how patches lie to these.

    indices: which of the rows. The others are query x key. placed: 1 for each patch with a place
    that the query may look at. inside: which fraction of such a patch lies in the boxes. hits: 1
    for each that counts as a hit.
    """

    indices: "torch.Tensor"
    inside: "torch.Tensor"
    hits: "torch.Tensor"
    placed: "torch.Tensor"

    @cached_property
    def uniform(self) -> "torch.Tensor":
        """For each query, the share inside if it looked at all of its patches alike."""
        return self.inside.sum(dim=-1) / self.placed.sum(dim=-1).clamp(min=1)

    @cached_property
    def reaches(self) -> "torch.Tensor":
        """Which queries may look at anything inside their boxes."""
        return self.uniform > 0

    @cached_property
    def misses(self) -> "torch.Tensor":
        """1 for each patch that is no hit."""
        return self.placed - self.hits

    @cached_property
    def is_elsewhere(self) -> "torch.Tensor":
        """Which keys are no such patch."""
        return self.placed == 0

    @cached_property
    def can_hit(self) -> "torch.Tensor":
        """Which queries have a hit among their patches."""
        return self.hits.any(dim=-1)

    @cached_property
    def n_pairs(self) -> "torch.Tensor":
        """For each query, how many pairs of a hit and a miss there are."""
        return self.hits.sum(dim=-1) * self.misses.sum(dim=-1)


def _span(chosen: Bool[np.ndarray, "token"]) -> slice:
    """From the first to the last that is chosen; empty if none is."""
    places = np.flatnonzero(chosen)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)

"""Who looks at what in some rows of attention, the same for every head.

Rows come from a source, live or stored. What several statistics need is computed once.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int

from vl_core.arrays import QueryMask
from vl_core.head_stats.boxed import BoxedRows
from vl_core.head_stats.tables import GROUPS, KINDS, MADE_OF, Boxed, Tables

if TYPE_CHECKING:
    import torch


@runtime_checkable
class RowSource(Protocol):
    """One attention evaluation that gives out its rows: live while a model runs, or stored.

    query_positions and key_positions say which tokens of the stack's streams its queries and keys
    are; each query of a layer appears in one source of that layer at most.
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

    def rows(self, heads: slice, queries: slice, keys: slice) -> "torch.Tensor":
        """Weights (head x row x key), float32 or float64; the caller may write into them.

        The chosen queries may look at no keys but the chosen ones.
        """

    def allowed(self, queries: slice) -> "torch.Tensor":
        """Which keys each of these queries may look at (row x key, bool)."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Some queries of one source and what they may look at, the same for every head.

    allowed: row x key; padding is never allowed. like: a tensor with the weights' type and device.
    key_groups: group x key, 1 where a key belongs to one of GROUPS. n_in_groups: group x row, how
    many keys of each group a query may look at. stray_keys: the columns of padding that a model
    looks at all the same. With `with_specials` false, special tokens neither look nor are looked
    at.
    """

    tables: Tables
    query_positions: Int[np.ndarray, "row"]
    key_positions: Int[np.ndarray, "key"]
    allowed: "torch.Tensor"
    like: "torch.Tensor"
    key_groups: "torch.Tensor"
    n_in_groups: "torch.Tensor"
    stray_keys: "torch.Tensor"
    with_specials: bool = True

    @classmethod
    def of(
        cls,
        tables: Tables,
        query_positions: Int[np.ndarray, "row"],
        key_positions: Int[np.ndarray, "key"],
        allowed: "torch.Tensor",
        like: "torch.Tensor",
    ) -> "Rows":
        """With special tokens; `allowed` may still allow padding."""
        padding = _indices(allowed, np.flatnonzero(tables.keys.is_padding[key_positions]))
        stray_keys = padding[allowed[:, padding].any(dim=0)]
        if len(stray_keys):
            allowed = allowed.index_fill(1, stray_keys, value=False)
        groups = like.new_tensor(tables.key_groups[:, key_positions])
        return cls(
            tables,
            query_positions,
            key_positions,
            allowed,
            like,
            groups,
            n_in_groups=groups @ allowed.to(like.dtype).T,
            stray_keys=stray_keys,
        )

    @cached_property
    def without_specials(self) -> "Rows":
        """The same rows, with special tokens neither looking nor looked at."""
        return replace(self, with_specials=False)

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
    def chosen_by_kind(self) -> "torch.Tensor":
        """Kind x row: 1 for each query of the kind that counts, else 0."""
        kinds = self.tables.query_kinds
        of_kind = np.stack([kinds[kind][self.query_positions] for kind in KINDS])
        return self.numbers(of_kind & self.counts)

    def chosen(self, kind: str = "any") -> "torch.Tensor":
        """1 for each query of this kind that counts, else 0."""
        return self.chosen_by_kind[KINDS.index(kind)]

    @cached_property
    def _made_of(self) -> "torch.Tensor":
        """Kind x group: 1 for each group that belongs to the kind; no special where dropped."""
        kept = [1, 1, 1, self.with_specials]
        return self.numbers(np.array(MADE_OF) * kept)

    def by_kind(self, by_group: "torch.Tensor") -> "torch.Tensor":
        """Sums over groups of keys (group x ...) as sums over kinds of keys (kind x ...)."""
        return (self._made_of @ by_group.flatten(1)).view(-1, *by_group.shape[1:])

    @cached_property
    def _n_allowed(self) -> "torch.Tensor":
        return self.by_kind(self.n_in_groups)

    def n_allowed(self, kind: str = "any") -> "torch.Tensor":
        """For each query, how many keys of this kind it may look at."""
        return self._n_allowed[KINDS.index(kind)]

    @cached_property
    def choices(self) -> "torch.Tensor":
        """What each query that looks adds to numbers of queries and pairs and to uniform mass.

        row x (3 x kind of key) x kind of query: 1 if the stack has keys of this kind, in these
        rows or in others; how many of them the query may look at; the mass on them if it looked
        at all its allowed keys alike.
        """
        import torch  # noqa: PLC0415 the registry of statistics is imported before the first paint

        there_are = [self.tables.n_keys[kind] > 0 for kind in KINDS]
        there_are[KINDS.index("special")] &= self.with_specials
        pairs = self._n_allowed
        queries = self.numbers(np.array(there_are))[:, None].expand_as(pairs)
        each = torch.cat([queries, pairs, pairs / self.n_allowed().clamp(min=1)])
        return each.T[:, :, None] * self.chosen_by_kind.T[:, None]

    @cached_property
    def choosing(self) -> "torch.Tensor":
        """1 for each query that counts and may look at more than one key."""
        return self.chosen() * (self.n_allowed() > 1)

    @cached_property
    def greatest_entropy(self) -> "torch.Tensor":
        """For each query the entropy of looking at all its allowed keys alike; of two at least."""
        return self.n_allowed().clamp(min=2).log()

    @cached_property
    def other_patches(self) -> "tuple[torch.Tensor, torch.Tensor]":
        """For each row 1 if it is a patch that has others in its stream; its allowed others."""
        rows, _ = self.same
        chosen = self.chosen("image") * self.tables.is_self_attention
        others = self.n_allowed("image").clone()
        others[rows] -= chosen[rows]
        return chosen * (self.tables.n_keys["image"] > 1), chosen * others

    @cached_property
    def special_keys(self) -> "torch.Tensor":
        """The columns of special tokens."""
        is_special = self.tables.key_kinds["special"][self.key_positions]
        return _indices(self.allowed, np.flatnonzero(is_special))

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
        if not self.with_specials:
            column_of[np.flatnonzero(self.tables.key_kinds["special"])] = -1
        columns = column_of[self.query_positions - steps]
        found = np.flatnonzero(columns >= 0)
        row, column = _indices(self.allowed, found), _indices(self.allowed, columns[found])
        may = self.allowed[row, column]
        return row[may], column[may]

    @cached_property
    def patches(self) -> tuple[slice, slice]:
        """The rows and keys between which all patches of one stream with a place lie, as slices."""
        if not self.tables.is_self_attention:
            return slice(0, 0), slice(0, 0)
        placed = self.tables.key_kinds["placed"]
        return _span(placed[self.query_positions]), _span(placed[self.key_positions])

    @cached_property
    def distances(self) -> "torch.Tensor":
        """Row x key within `patches`: how far apart the centres are, in patches; 0 without one."""
        rows, keys = self.patches
        centres = self.tables.places
        here = self.numbers(centres[:, self.query_positions[rows]])[..., None]
        there = self.numbers(centres[:, self.key_positions[keys]])[:, None]
        across, down = here[0] - there[0], here[1] - there[1]
        return across.square_().add_(down.square_()).sqrt_().nan_to_num_(nan=0.0)

    @cached_property
    def boxed_words(self) -> BoxedRows:
        """Those of these rows that are words with a box."""
        return self._boxed(self.tables.boxed_words)

    @cached_property
    def boxed_class(self) -> BoxedRows:
        """That of these rows that is the class token, if the boxes asked about are known."""
        return self._boxed(self.tables.boxed_class)

    def _boxed(self, boxed: Boxed) -> BoxedRows:
        number_of = np.full(len(self.tables.queries), -1)
        number_of[boxed.queries] = np.arange(len(boxed.queries))
        numbers = number_of[self.query_positions]
        here = np.flatnonzero(numbers >= 0)
        indices, columns = _indices(self.allowed, here), self.key_positions
        placed = self.allowed[indices] * self.key_groups[GROUPS.index("placed")]
        inside, hits = (self.numbers(part[numbers[here]][:, columns]) for part in boxed[1:])
        return BoxedRows(indices, inside * placed, hits * placed, placed)


def _indices(like: "torch.Tensor", array: np.ndarray) -> "torch.Tensor":
    return like.new_empty(0).long().new_tensor(array)


def _span(chosen: Bool[np.ndarray, "token"]) -> slice:
    """From the first to the last that is chosen; empty if none is."""
    places = np.flatnonzero(chosen)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)

"""Blocks of attention weights, head x row x key: what every head statistic is computed from.

What several statistics need is computed once for each block.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from vl_core.head_stats.boxed import BoxedBlock
from vl_core.head_stats.row_sums import RowSums
from vl_core.head_stats.rows import Rows
from vl_core.head_stats.tables import KINDS

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class RowBlock:
    """Weights of some heads on these rows, with special tokens or without, as `rows` has it.

    sums: those over the whole rows, special tokens included.
    """

    rows: Rows
    sums: RowSums

    @classmethod
    def of(cls, rows: Rows, weights: "torch.Tensor") -> "RowBlock":
        """The weights as the source gave them, less what falls on padding."""
        if len(rows.stray_keys):
            weights = _without(weights, rows.stray_keys)
        return cls(rows, RowSums(rows, weights))

    @cached_property
    def without_specials(self) -> "RowBlock":
        """Special tokens dropped from queries and keys, each row divided by what is left of it."""
        return RowBlock(self.rows.without_specials, self.sums)

    @cached_property
    def weights(self) -> "torch.Tensor":
        """Head x row x key; keys that may not be looked at weigh exactly 0.

        Not to be written into. Without special tokens it is formed for whoever asks for it.
        """
        if self.rows.with_specials:
            return self.sums.weights
        return _without(self.sums.weights, self.rows.special_keys)

    @cached_property
    def _totals(self) -> "torch.Tensor":
        """Kind of key x head x row: the weight on such keys before any row is divided."""
        return self.rows.by_kind(self.sums.everywhere)

    @cached_property
    def _left(self) -> "torch.Tensor":
        """Head x row: the weight on all keys before any row is divided."""
        return self._totals[KINDS.index("any")]

    def _share(self, values: "torch.Tensor", left: "torch.Tensor") -> "torch.Tensor":
        """Values of whole rows as shares of what is left of the rows."""
        return values if self.rows.with_specials else values / left.masked_fill(left == 0, 1)

    @cached_property
    def _masses(self) -> "torch.Tensor":
        return self._share(self._totals, self._left)

    @cached_property
    def _elsewhere(self) -> "torch.Tensor":
        return self.rows.by_kind(self.sums.elsewhere)

    def mass(self, kind: str) -> "torch.Tensor":
        """Head x row: the share of each query's attention on keys of this kind."""
        return self._masses[KINDS.index(kind)]

    def weight_elsewhere(self, kind: str) -> "torch.Tensor":
        """Head x row: the weight on keys of this kind other than the query itself, undivided."""
        return self._elsewhere[KINDS.index(kind)]

    def weights_at(self, rows: "torch.Tensor", keys: "torch.Tensor") -> "torch.Tensor":
        """Head x pair: the weights between these rows and keys."""
        return self._share(self.sums.weights[:, rows, keys], self._left[:, rows])

    @cached_property
    def looks(self) -> "torch.Tensor":
        """Head x row: 1 where a query looks anywhere at all, else 0.

        A fully masked query, or one that looked at nothing but the special tokens that were
        dropped, takes part in no mean.
        """
        return (self._left > 0).to(self._left.dtype)

    @cached_property
    def entropy(self) -> "torch.Tensor":
        """Head x row: the entropy of each query's attention in nats."""
        special, others = self.sums.logarithmic
        if self.rows.with_specials:
            return (special + others).neg_().clamp_(min=0)
        left = self._left.masked_fill(self._left == 0, 1)
        # The sum of w log w over weights w / left, from that over w.
        return (left.log() - others / left).clamp_(min=0)

    @cached_property
    def gini(self) -> "torch.Tensor":
        """Head x row: the Gini coefficient over the allowed keys; 0 where a query looks nowhere."""
        sums = self.sums
        with_specials = self.rows.with_specials
        differences = sums.differences if with_specials else sums.differences_without_specials
        largest = self.rows.n_allowed() * self._left
        return differences / largest.masked_fill(largest == 0, 1)

    @property
    def boxed_words(self) -> BoxedBlock | None:
        """The words that have boxes; None if there is none."""
        return self.sums.boxed_words

    @property
    def boxed_class(self) -> BoxedBlock | None:
        """The class token, if it has boxes and is not dropped."""
        return self.sums.boxed_class if self.rows.with_specials else None

    @cached_property
    def totals_by_kinds(self) -> "torch.Tensor":
        """Head x (4 x kind of key) x kind of query: the mass of all queries that count, summed.

        After it, of those that look, the sums of `Rows.choices`.
        """
        import torch  # noqa: PLC0415 the registry of statistics is imported before the first paint

        choices = self.rows.choices
        counts = (self.looks @ choices.flatten(1)).view(-1, *choices.shape[1:])
        masses = (self._masses @ self.rows.chosen_by_kind.T).transpose(0, 1)
        return torch.cat([masses, counts], dim=1)


def columns(*totals: "torch.Tensor") -> "torch.Tensor":
    """Totals of one number per head as columns: head x few."""
    import torch  # noqa: PLC0415 the registry of statistics is imported before the first paint

    return torch.stack(totals, dim=-1)


def side_by_side(totals: list["torch.Tensor"]) -> "torch.Tensor":
    """Totals of head x few next to each other."""
    import torch  # noqa: PLC0415 as above

    return torch.cat(totals, dim=-1)


def _without(weights: "torch.Tensor", keys: "torch.Tensor") -> "torch.Tensor":
    """The weights without these keys, each row divided by what is left of it."""
    weights = weights.index_fill(-1, keys, 0)
    left = weights.sum(dim=-1, keepdim=True)
    return weights.div_(left.masked_fill_(left == 0, 1))

"""Blocks of attention weights, head x row x key: what every head statistic is computed from.

What several statistics need is computed once for each block.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from vl_core.arrays import KeyMask
from vl_core.head_stats.rows import KINDS, BoxedRows, Rows

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class RowBlock:
    """Weights of some heads on these rows (head x row x key); disallowed keys weigh exactly 0."""

    rows: Rows
    weights: "torch.Tensor"

    @classmethod
    def of(cls, rows: Rows, weights: "torch.Tensor") -> "RowBlock":
        """The weights as the source gave them, less what falls on padding."""
        is_padding = rows.tables.keys.is_padding[rows.key_positions]
        return cls(rows, _without(weights, is_padding) if is_padding.any() else weights)

    def without_specials(self) -> "RowBlock":
        """Special tokens dropped from queries and keys, each row divided by what is left of it."""
        is_special = self.rows.tables.keys.is_special[self.rows.key_positions]
        weights = _without(self.weights, is_special) if is_special.any() else self.weights
        return RowBlock(self.rows.without_specials, weights)

    @cached_property
    def _masses_elsewhere(self) -> "torch.Tensor":
        """Kind of key x head x row: the weight on such keys other than the query itself."""
        weights, (rows, keys) = self.weights, self.rows.same
        if len(rows):
            weights = weights.clone()
            weights[:, rows, keys] = 0
        # Few rows times many columns: the other way round the product takes four times as long.
        masses = self.rows.key_groups @ weights.reshape(-1, weights.shape[-1]).T
        return masses.reshape(-1, *weights.shape[:2])

    @cached_property
    def _masses(self) -> "torch.Tensor":
        """Kind of key x head x row: the share of each query's attention on such keys."""
        rows, keys = self.rows.same
        # Adding the query itself is exact; taking it away from the sum would not be.
        masses = self._masses_elsewhere.clone()
        masses[:, :, rows] += self.weights[:, rows, keys] * self.rows.key_groups[:, None, keys]
        return masses

    def mass(self, kind: str) -> "torch.Tensor":
        """Head x row: the share of each query's attention on keys of this kind."""
        return self._masses[KINDS.index(kind)]

    def mass_elsewhere(self, kind: str) -> "torch.Tensor":
        """Head x row: the weight on keys of this kind other than the query itself."""
        return self._masses_elsewhere[KINDS.index(kind)]

    @cached_property
    def looks(self) -> "torch.Tensor":
        """Head x row: 1 where a query looks anywhere at all, else 0.

        A fully masked query, or one that looked at nothing but the special tokens that were
        dropped, takes part in no mean.
        """
        return (self.mass("any") > 0).to(self.weights.dtype)

    @cached_property
    def entropy(self) -> "torch.Tensor":
        """Head x row: the entropy of each query's attention in nats."""
        # Below 1e-37 a weight times its logarithm is nothing, and float32 loses its digits.
        terms = self.weights.clamp(min=1e-37).log_().mul_(self.weights)
        return terms.sum(dim=-1).neg_().clamp_(min=0)

    @cached_property
    def boxed_words(self) -> "BoxedBlock":
        """The words that have boxes."""
        return self._boxed(self.rows.boxed_words)

    @cached_property
    def boxed_class(self) -> "BoxedBlock":
        """The class token, if it has boxes."""
        return self._boxed(self.rows.boxed_class)

    def _boxed(self, rows: BoxedRows) -> "BoxedBlock":
        return BoxedBlock(rows, self.weights[:, rows.indices], self.mass("placed")[:, rows.indices])

    def sum_and_count(self, values: "torch.Tensor", chosen: "torch.Tensor") -> "torch.Tensor":
        """Head x 2: sum over the chosen queries of their value, and how many of them look.

        values: head x row, 0 where a query looks nowhere. chosen: a number for each query, 1 or 0.
        """
        return columns(values @ chosen, self.looks @ chosen)


@dataclass(frozen=True, eq=False)
class BoxedBlock:
    """Weights of some heads on the queries that have boxes (head x query x key).

    image: head x query, the share of attention on patches with a place.
    """

    rows: BoxedRows
    weights: "torch.Tensor"
    image: "torch.Tensor"

    @cached_property
    def looks(self) -> "torch.Tensor":
        """Head x query: 1 where a query looks at the image at all, else 0."""
        return (self.image > 0).to(self.image.dtype)


def columns(*totals: "torch.Tensor") -> "torch.Tensor":
    """Totals of one number per head as columns: head x few."""
    import torch  # noqa: PLC0415 the registry of statistics is imported before the first paint

    return torch.stack(totals, dim=-1)


def side_by_side(totals: list["torch.Tensor"]) -> "torch.Tensor":
    """Totals of head x few next to each other."""
    import torch  # noqa: PLC0415 as above

    return torch.cat(totals, dim=-1)


def _without(weights: "torch.Tensor", is_dropped: KeyMask) -> "torch.Tensor":
    """The weights without these keys, each row divided by what is left of it."""
    weights = weights * weights.new_tensor(~is_dropped)
    left = weights.sum(dim=-1, keepdim=True)
    return weights.div_(left.masked_fill_(left == 0, 1))

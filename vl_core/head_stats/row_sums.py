"""What is summed over the keys of each row, once for both variants of every statistic.

Without special tokens each row is divided by what is left of it; nearly all that statistics need
of such rows follows from sums over the whole ones, so that they are never formed.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vl_core.head_stats.boxed import BoxedBlock, BoxedRows
from vl_core.head_stats.ranking import differences_from, pair_differences
from vl_core.head_stats.rows import Rows
from vl_core.head_stats.tables import GROUPS

if TYPE_CHECKING:
    import torch

FEW = 12  # special keys that are set against all others one by one; more are sorted with them


@dataclass(frozen=True, eq=False)
class RowSums:
    """Sums over the weights of some heads on these rows (head x row x key).

    rows: with special tokens; disallowed keys weigh exactly 0.
    """

    rows: Rows
    weights: "torch.Tensor"

    @cached_property
    def elsewhere(self) -> "torch.Tensor":
        """Group of keys x head x row: the weight on such keys other than the query itself."""
        weights, (rows, keys) = self.weights, self.rows.same
        itself = self._itself
        weights[:, rows, keys] = 0
        # Few rows times many columns: the other way round the product takes four times as long.
        sums = self.rows.key_groups @ weights.reshape(-1, weights.shape[-1]).T
        weights[:, rows, keys] = itself
        return sums.reshape(-1, *weights.shape[:2])

    @cached_property
    def everywhere(self) -> "torch.Tensor":
        """Group of keys x head x row: the weight on such keys."""
        rows, keys = self.rows.same
        # Adding the query itself is exact; taking it away from the sum would not be.
        sums = self.elsewhere.clone()
        sums[:, :, rows] += self._itself * self.rows.key_groups[:, None, keys]
        return sums

    @cached_property
    def _itself(self) -> "torch.Tensor":
        rows, keys = self.rows.same
        return self.weights[:, rows, keys]

    @cached_property
    def placed(self) -> "torch.Tensor":
        """Head x row: the weight on patches with a place."""
        return self.everywhere[GROUPS.index("placed")]

    @cached_property
    def boxed_words(self) -> BoxedBlock | None:
        """The words that have boxes; None if there is none in these rows."""
        return self._boxed(self.rows.boxed_words)

    @cached_property
    def boxed_class(self) -> BoxedBlock | None:
        """The class token, if it has boxes; None if it does not look in these rows."""
        return self._boxed(self.rows.boxed_class)

    def _boxed(self, rows: BoxedRows) -> BoxedBlock | None:
        indices = rows.indices
        if not len(indices):
            return None
        return BoxedBlock(rows, self.weights[:, indices], self.placed[:, indices])

    @cached_property
    def logarithmic(self) -> "tuple[torch.Tensor, torch.Tensor]":
        """Head x row: the weights times their logarithms, over special keys and over all others."""
        terms = _logarithms(self.weights).mul_(self.weights)
        special = terms[..., self.rows.special_keys].sum(dim=-1)
        terms[..., self.rows.special_keys] = 0
        return special, terms.sum(dim=-1)

    @cached_property
    def distances(self) -> "torch.Tensor":
        """Head x row of `rows.patches`: the mean distance to the patches looked at; 0 for none."""
        rows, keys = self.rows.patches
        distances = (self.weights[:, rows, keys] * self.rows.distances).sum(dim=-1)
        placed = self.placed[:, rows]
        return distances / placed.masked_fill(placed == 0, 1)

    @cached_property
    def differences_without_specials(self) -> "torch.Tensor":
        """Head x row: the differences of all pairs of weights on other allowed keys, summed."""
        weights, special_keys = self.weights, self.rows.special_keys
        special = weights[..., special_keys]
        weights[..., special_keys] = 0
        n_counted = self.rows.without_specials.n_allowed()
        total = self.everywhere[: GROUPS.index("special")].sum(dim=0)
        differences = pair_differences(weights, n_counted, total)
        weights[..., special_keys] = special
        return differences

    @cached_property
    def differences(self) -> "torch.Tensor":
        """Head x row: the differences of all pairs of weights on allowed keys, summed."""
        rows, special_keys = self.rows, self.rows.special_keys
        n_counted, total = rows.n_allowed(), self.everywhere.sum(dim=0)
        if len(special_keys) > FEW:
            return pair_differences(self.weights, n_counted, total)
        found = self.differences_without_specials
        for key in special_keys:
            one = self.weights[..., key]
            from_one = differences_from(self.weights, n_counted, total, one)
            found = found + from_one * rows.allowed[:, key]
        if len(special_keys) > 1:  # their own pairs were taken twice
            special, n_special = self.weights[..., special_keys], rows.n_allowed("special")
            found = found - pair_differences(special, n_special, special.sum(dim=-1))
        return found


def _logarithms(weights: "torch.Tensor") -> "torch.Tensor":
    """Logarithms of the weights; of some that are next to nothing, a number that is finite."""
    import torch  # noqa: PLC0415 the registry of statistics is imported before the first paint

    least = weights.clamp(min=torch.finfo(weights.dtype).tiny)
    if weights.device.type != "cpu":
        return least.log_()
    # numpy takes logarithms with the processor's vector instructions, at least twice as fast.
    array = least.numpy()
    np.log(array, out=array)
    return least

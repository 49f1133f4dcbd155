"""How the patches lie to the boxes of some queries, and how much these look at each patch."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from vl_core.head_stats.ranking import ascending

if TYPE_CHECKING:
    import torch


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
        """1 for each query that may look at anything inside its boxes."""
        return (self.uniform > 0).to(self.uniform.dtype)

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
        """1 for each query that has a hit among its patches."""
        return self.hits.amax(dim=-1)

    @cached_property
    def ever_hit(self) -> "torch.Tensor":
        """The columns that are a hit for any of the queries."""
        return self.hits.any(dim=0).nonzero().squeeze(1)

    @cached_property
    def n_pairs(self) -> "torch.Tensor":
        """For each query, how many pairs of a hit and a miss there are."""
        return self.hits.sum(dim=-1) * self.misses.sum(dim=-1)


@dataclass(frozen=True, eq=False)
class BoxedBlock:
    """Weights of some heads on the queries that have boxes (head x query x key).

    They are those of whole rows, special tokens included: what is measured of them are shares of
    the attention on patches. image: head x query, the weight on patches with a place.
    """

    rows: BoxedRows
    weights: "torch.Tensor"
    image: "torch.Tensor"

    @cached_property
    def looks(self) -> "torch.Tensor":
        """Head x query: 1 where a query looks at the image at all, else 0."""
        return (self.image > 0).to(self.image.dtype)

    @cached_property
    def shares_inside(self) -> "torch.Tensor":
        """Head x query: the share of image attention inside; 0 where a query looks at no patch."""
        inside = (self.weights * self.rows.inside).sum(dim=-1)
        return inside / self.image.masked_fill(self.image == 0, 1)

    @cached_property
    def shares_of_the_strongest(self) -> "torch.Tensor":
        """Head x query: which share of the patches with the greatest weight are hits."""
        weights = self.weights.masked_fill(self.rows.is_elsewhere, -1)
        is_strongest = (weights == weights.amax(dim=-1, keepdim=True)).to(weights.dtype)
        return (is_strongest * self.rows.hits).sum(dim=-1) / is_strongest.sum(dim=-1)

    @cached_property
    def auc(self) -> "torch.Tensor":
        """Head x query: the probability that a hit weighs more than a miss; 0 without either."""
        below = (self._misses_below * self.rows.hits[:, self.rows.ever_hit]).sum(dim=-1)
        return below / self.rows.n_pairs.clamp(min=1)

    @property
    def _misses_below(self) -> "torch.Tensor":
        """Head x query x key that is a hit for some query: how many misses weigh less than it.

        One as heavy counts half.
        """
        import torch  # noqa: PLC0415 the registry of statistics is imported before the first paint

        ranked = ascending(self.weights * self.rows.misses)
        # What is no miss comes first, as a zero that does not count.
        n_zeros = ranked.shape[-1] - self.rows.misses.sum(dim=-1, keepdim=True)
        asked = self.weights[..., self.rows.ever_hit].contiguous()
        lighter, not_heavier = (
            (torch.searchsorted(ranked, asked, side=side) - n_zeros).clamp(min=0)
            for side in ("left", "right")
        )
        return (lighter + not_heavier) / 2

"""What a head statistic is: one number for each head, with all that must stand beside it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vl_core.arrays import HeadMap
from vl_core.head_stats.passes import Pass, PerHead, Totals, measured, stored_key
from vl_core.head_stats.row_blocks import RowBlock
from vl_core.head_stats.sources import stored_layers
from vl_core.head_stats.tables import Tables
from vl_core.trace import Stack

if TYPE_CHECKING:
    import torch

Range = tuple[float | None, float | None]
Columns = tuple[int, ...]
Finish = Callable[[Totals], PerHead]


@dataclass(frozen=True, kw_only=True)
class HeadStatistic(ABC):
    """One number for each head.

    key: its name in files and links. unit: what one of it is. range: least and greatest value,
    None where there is no bound. definition: one exact sentence. source: who introduced it.
    flow_name: VL-InterpreT's name for the direction, where there is one; its menu named the flow
    of information, so that text looking at the image is "image-to-text" there.
    """

    key: str
    name: str
    unit: str
    definition: str
    range: Range = (0.0, 1.0)
    source: str = "this project"
    flow_name: str = ""

    def of(self, stack: Stack, with_specials: bool = True) -> HeadMap:  # noqa: FBT001, FBT002 the page's one switch
        """Layer x head; nan where it has no meaning. What was measured at capture is taken as is.

        Without specials, special tokens are dropped from queries and keys, and each row is divided
        by what is left of it.
        """
        stored = stack.head_stats.get(stored_key(self.key, with_specials=with_specials))
        return self._computed(stack, with_specials=with_specials) if stored is None else stored

    @abstractmethod
    def _computed(self, stack: Stack, *, with_specials: bool) -> HeadMap:
        """The statistic over what the stack keeps."""


def ratio(totals: Totals, over: Columns = (0,), under: Columns = (1,)) -> PerHead:
    """Some totals together divided by others; missing where these are 0.

    Most statistics are such a mean: a sum over queries and the number of these queries.
    """
    sums, counts = (totals[:, list(columns)].sum(axis=1) for columns in (over, under))
    missing = np.full(len(totals), np.nan)
    return np.divide(sums, counts, out=missing, where=counts > 0)


@dataclass(frozen=True, kw_only=True)
class BlockStatistic(HeadStatistic):
    """A statistic that is read off blocks of rows, all such statistics in one pass.

    partial: from a block to totals (head x few), which add up over the blocks of a layer; what
    several statistics have in common is computed once in a pass.
    finish: from a layer's totals to one number per head, nan for a missing one.
    """

    partial: Callable[[RowBlock], "torch.Tensor"]
    finish: Finish = ratio

    def _computed(self, stack: Stack, *, with_specials: bool) -> HeadMap:
        tables = Tables(stack.queries, stack.keys, stack.regions)
        running = Pass(tables, (self,), (with_specials,))
        (values,) = measured(stored_layers(stack), running).values()
        return values

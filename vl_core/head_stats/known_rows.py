"""Rows that come again in every layer, made once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from vl_core.head_stats.rows import Rows
from vl_core.head_stats.tables import Tables

if TYPE_CHECKING:
    import torch

KNOWN_BYTES = 16 * 2**20  # of tables of row x key that are kept: those of some 2,000 tokens


class KnownRows:
    """Makes rows, and remembers them: in most models all layers share their masks."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._known: dict[tuple[int, ...], _Known] = {}
        self._bytes_left = KNOWN_BYTES

    def of(
        self,
        query_positions: Int[np.ndarray, "row"],
        key_positions: Int[np.ndarray, "key"],
        allowed: "torch.Tensor",
        like: "torch.Tensor",
    ) -> Rows:
        """As `Rows.of`."""
        place = query_positions[0], len(query_positions), key_positions[0], len(key_positions)
        known = self._known.get(place)
        if known and known.is_for(query_positions, key_positions, allowed, like):
            return known.rows
        rows = Rows.of(self._tables, query_positions, key_positions, allowed, like)
        # What is allowed, and distances as large as weights.
        size = allowed.numel() * (allowed.element_size() + like.element_size())
        if not known and size <= self._bytes_left:
            self._known[place] = _Known(rows, allowed)
            self._bytes_left -= size
        return rows


@dataclass(frozen=True, eq=False)
class _Known:
    """Rows, and what they were allowed before padding was taken out."""

    rows: Rows
    allowed: "torch.Tensor"

    def is_for(
        self,
        query_positions: Int[np.ndarray, "row"],
        key_positions: Int[np.ndarray, "key"],
        allowed: "torch.Tensor",
        like: "torch.Tensor",
    ) -> bool:
        """Whether these rows are what would be made of all this."""
        import torch  # noqa: PLC0415 the registry of statistics is imported before the first paint

        rows = self.rows
        return (
            np.array_equal(rows.query_positions, query_positions)
            and np.array_equal(rows.key_positions, key_positions)
            and (rows.like.dtype, rows.like.device) == (like.dtype, like.device)
            and torch.equal(self.allowed, allowed)
        )

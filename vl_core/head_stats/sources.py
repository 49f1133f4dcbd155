"""Rows of what a trace keeps: the same statistics run over them as over a live model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from vl_core.trace import Block, Stack

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class StoredRows:
    """A block of a stack as a source of rows."""

    block: Block

    @property
    def query_positions(self) -> Int[np.ndarray, "query"]:
        """Which token of the query stream each query is."""
        return self.block.query_positions

    @property
    def key_positions(self) -> Int[np.ndarray, "key"]:
        """Which token of the key stream each key is."""
        return self.block.key_positions

    @property
    def n_heads(self) -> int:
        """How many heads there are."""
        return self.block.kept.shape[0]

    def rows(self, heads: slice, queries: slice, keys: slice) -> "torch.Tensor":
        """Weights (head x row x key) in float32."""
        import torch  # noqa: PLC0415 the registry of statistics is imported before the first paint

        return torch.from_numpy(self.block.kept.rows(heads, queries)[..., keys])

    def allowed(self, queries: slice) -> "torch.Tensor":
        """Which keys each of these queries may look at (row x key, bool)."""
        import torch  # noqa: PLC0415 as above

        _, n_queries, n_keys = self.block.kept.shape
        return torch.from_numpy(self.block.kept.mask.rows(queries, n_queries, n_keys))


def stored_layers(stack: Stack) -> Iterator[tuple[StoredRows, ...]]:
    """For each layer of the stack, its evaluations."""
    return (tuple(map(StoredRows, layer)) for layer in stack.blocks)

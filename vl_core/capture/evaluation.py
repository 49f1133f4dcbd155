"""One attention evaluation while it is still in the model's memory, in full precision."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from vl_core.capture.masks import LiveMask


@dataclass(frozen=True, eq=False)
class Evaluation:
    """softmax(queries @ keys) @ values of one sequence, as the model ran it.

    Several query heads may share one key head. output is what the model's own attention gave.
    Weights are computed where they are asked for, in float32 whatever the model's precision. It
    is a source of rows for head statistics.
    """

    queries: Float[Tensor, "head query dim"]
    keys: Float[Tensor, "key_head key dim"]
    values: Float[Tensor, "key_head key value_dim"]
    output: Float[Tensor, "query head value_dim"]
    mask: LiveMask
    scaling: float
    softcap: float | None = None

    @property
    def n_heads(self) -> int:
        """How many heads look."""
        return len(self.queries)

    @cached_property
    def query_positions(self) -> Int[np.ndarray, "query"]:
        """Where in its stream each query stands."""
        return np.arange(self.queries.shape[1])

    @cached_property
    def key_positions(self) -> Int[np.ndarray, "key"]:
        """Where in its stream each key stands."""
        return np.arange(self.keys.shape[1])

    def rows(self, heads: slice, queries: slice) -> Float32[Tensor, "head row key"]:
        """Weights of the chosen heads and queries on all keys; a row without a key is zero."""
        keys = self.keys[self.key_heads(heads)].float()
        scores = (self.queries[heads, queries].float() * self.scaling) @ keys.transpose(1, 2)
        if self.softcap is not None:
            scores = torch.tanh(scores / self.softcap) * self.softcap
        return self.mask.applied(scores, heads, queries).softmax(dim=-1).nan_to_num(0)

    def allowed(self, queries: slice) -> Bool[Tensor, "row key"]:
        """For each of the chosen queries, which keys it may look at."""
        n_rows = len(range(*queries.indices(self.queries.shape[1])))
        if self.mask.allowed is None:
            shape = n_rows, self.keys.shape[1]
            return torch.ones(shape, dtype=torch.bool, device=self.keys.device)
        return self.mask.allowed[queries]

    def key_heads(self, heads: slice) -> Int[Tensor, "head"]:
        """Which key head each of the chosen heads looks with."""
        chosen = torch.arange(self.n_heads, device=self.keys.device)[heads]
        return chosen // (self.n_heads // len(self.keys))

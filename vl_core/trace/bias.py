"""What a model adds to attention scores for how far a key is from a query, without a table."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int

from vl_core.errors import TraceError
from vl_core.frozen import freeze, own


@dataclass(frozen=True, eq=False)
class DistanceBias:
    """A bias that is the same for any query and key as far apart, as T5 has it.

    A table of head x query x key takes as much as the weights; of each head this is one row.
    values: for each head, or one row for all of them. queries, keys: places; the key's less the
    query's is the column of their distance. Layers share one object where the model shares the
    bias.
    """

    values: Float32[np.ndarray, "some_heads distance"]
    queries: Int[np.ndarray, "query"]
    keys: Int[np.ndarray, "key"]

    def __post_init__(self) -> None:
        parts = {name: own(getattr(self, name)) for name in ("values", "queries", "keys")}
        freeze(self, **parts)
        if not np.isfinite(self.values).all():
            raise TraceError("a bias that is not finite")
        if not self.queries.size or not self.keys.size:
            return
        first = int(self.keys.min() - self.queries.max())
        last = int(self.keys.max() - self.queries.min())
        if first < 0 or last >= self.values.shape[1]:
            raise TraceError(
                f"a bias of {self.values.shape[1]} distances, wanted those from {first} to {last}"
            )

    @classmethod
    def of(
        cls, values: Float32[np.ndarray, "some_heads distance"], n_queries: int
    ) -> "DistanceBias":
        """Of queries and keys in their order, from the first key and the last query on."""
        n_keys = values.shape[1] - n_queries + 1
        return cls(values, np.arange(n_queries), np.arange(n_keys) + n_queries - 1)

    def check(self, n_heads: int, n_queries: int, n_keys: int) -> None:
        """Raise TraceError unless the bias fits attention of this size."""
        came = len(self.values), len(self.queries), len(self.keys)
        if came not in {(n_heads, n_queries, n_keys), (1, n_queries, n_keys)}:
            raise TraceError(
                f"a bias of {' x '.join(map(str, came))} for attention of {n_heads} heads x "
                f"{n_queries} queries x {n_keys} keys"
            )

    def of_head(self, head: int) -> Float32[np.ndarray, "distance"]:
        """What one head adds, by distance."""
        return self.values[head if len(self.values) > 1 else 0]

    def rows(
        self, heads: Int[np.ndarray, "head"], queries: slice
    ) -> Float32[np.ndarray, "some_heads row key"]:
        """What is added to the scores of these heads, or of all, and queries on all keys."""
        values = self.values[heads] if len(self.values) > 1 else self.values
        return values[:, self.keys - self.queries[queries, None]]

    def chosen(
        self, rows: Int[np.ndarray, "row"], columns: Int[np.ndarray, "column"]
    ) -> "DistanceBias":
        """The bias between these queries and keys, by their number."""
        return replace(self, queries=self.queries[rows], keys=self.keys[columns])

"""Which keys a query may look at, as a description: it takes no room of query x key."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from vl_core.arrays import AllowedKeys, KeyMask
from vl_core.errors import TraceError

MaskKind = Literal["full", "causal", "sliding", "explicit"]


@dataclass(frozen=True)
class Mask:
    """Which keys each query of a block may look at.

    full: all of them. causal: those not after the query; `offset` is the place of query 0 among
    the keys. sliding: causal, and at most `window` keys back, the query's own included. explicit:
    what `allowed` says. Keys in `is_padding` are never allowed.
    """

    kind: MaskKind = "full"
    offset: int = 0
    window: int | None = None
    is_padding: KeyMask | None = None
    allowed: AllowedKeys | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(MaskKind):
            raise TraceError(f"a {self.kind} mask; there are {', '.join(get_args(MaskKind))}")
        if (self.kind == "sliding") != (self.window is not None):
            raise TraceError(f"a {self.kind} mask with window {self.window}")
        if (self.kind == "explicit") != (self.allowed is not None):
            raise TraceError(
                f"a {self.kind} mask with{'' if self.allowed is not None else 'out'} "
                "a table of allowed keys"
            )

    def check(self, n_queries: int, n_keys: int) -> None:
        """Raise TraceError unless the mask fits attention of this size."""
        if self.allowed is not None and self.allowed.shape != (n_queries, n_keys):
            raise TraceError(
                f"a mask of {' x '.join(map(str, self.allowed.shape))} for attention of "
                f"{n_queries} queries x {n_keys} keys"
            )
        if self.is_padding is not None and len(self.is_padding) != n_keys:
            raise TraceError(f"padding of {len(self.is_padding)} keys for {n_keys} keys")

    def rows(self, queries: slice, n_queries: int, n_keys: int) -> AllowedKeys:
        """For each of the chosen queries, which keys it may look at."""
        chosen = np.arange(*queries.indices(n_queries))
        allowed = self._structure(chosen, np.arange(n_keys))
        return allowed if self.is_padding is None else allowed & ~self.is_padding

    def _structure(self, queries: np.ndarray, keys: np.ndarray) -> AllowedKeys:
        if self.allowed is not None:
            return self.allowed[queries]
        steps_back = queries[:, None] + self.offset - keys
        if self.kind == "full":
            return np.ones(steps_back.shape, bool)
        allowed = steps_back >= 0
        return allowed if self.window is None else allowed & (steps_back < self.window)

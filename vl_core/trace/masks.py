"""Which keys a query may look at, as a description: it takes no room of query x key."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from vl_core.arrays import AllowedKeys, KeyMask
from vl_core.errors import TraceError
from vl_core.frozen import freeze, own, take_over

MaskKind = Literal["full", "causal", "sliding", "explicit"]


@dataclass(frozen=True, eq=False)
class Mask:
    """Which keys each query of a block may look at.

    full: all of them. causal: those not after the query; `offset` is the place of query 0 among
    the keys. sliding: causal, and at most `window` keys back, the query's own included. explicit:
    what `allowed` says; that table becomes read-only as it is. Keys in `is_padding` are never
    allowed. Two masks are equal if they say the same in the same words.
    """

    kind: MaskKind = "full"
    offset: int = 0
    window: int | None = None
    is_padding: KeyMask | None = None
    allowed: AllowedKeys | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(MaskKind):
            raise TraceError(f"a {self.kind} mask; there are {', '.join(get_args(MaskKind))}")
        if not isinstance(self.offset, int | np.integer):
            raise TraceError(f"a mask with the offset {self.offset!r}; a whole number is wanted")
        if (self.kind == "sliding") != (self.window is not None):
            raise TraceError(f"a {self.kind} mask with window {self.window}")
        if self.window is not None and not _is_count(self.window):
            raise TraceError(f"a mask with the window {self.window!r}; at least 1 key is wanted")
        if (self.kind == "explicit") != (self.allowed is not None):
            raise TraceError(
                f"a {self.kind} mask with{'' if self.allowed is not None else 'out'} "
                "a table of allowed keys"
            )
        if self.allowed is not None:
            take_over(self.allowed)
        if self.is_padding is not None:
            freeze(self, is_padding=own(self.is_padding))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return self is other or (
            (self.kind, self.offset, self.window) == (other.kind, other.offset, other.window)
            and _is_same(self.is_padding, other.is_padding)
            and _is_same(self.allowed, other.allowed)
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.offset, self.window))

    def check(self, n_queries: int, n_keys: int) -> None:
        """Raise TraceError unless the mask fits attention of this size."""
        if self.allowed is not None and self.allowed.shape != (n_queries, n_keys):
            raise TraceError(
                f"a mask of {' x '.join(map(str, self.allowed.shape))} for attention of "
                f"{n_queries} queries x {n_keys} keys"
            )
        if self.is_padding is not None and len(self.is_padding) != n_keys:
            raise TraceError(f"padding of {len(self.is_padding)} keys for {n_keys} keys")

    @property
    def allows_all(self) -> bool:
        """Whether the description says that every query may look at every key."""
        return self.kind == "full" and self.is_padding is None

    def rows(self, queries: slice, n_queries: int, n_keys: int) -> AllowedKeys:
        """For each of the chosen queries, which keys it may look at."""
        chosen = np.arange(*queries.indices(n_queries))
        allowed = self._structure(chosen, np.arange(n_keys))
        return allowed if self.is_padding is None else allowed & ~self.is_padding

    def _structure(self, queries: np.ndarray, keys: np.ndarray) -> AllowedKeys:
        if self.allowed is not None:
            return self.allowed[queries]
        if self.kind == "full":
            return np.ones((len(queries), len(keys)), bool)
        return np.asarray(self.between(queries, keys))

    def between(self, queries: Any, keys: Any) -> Any:  # noqa: ANN401 arrays or tensors
        """Row x key: whether a causal or sliding mask has each key in reach of each query.

        Both by their places, as arrays of numpy or of torch; padding is not asked about.
        """
        # Compared and not subtracted: differences of query x key take eight times the room.
        last = queries[:, None] + self.offset
        allowed = keys <= last
        return allowed if self.window is None else allowed & (keys > last - self.window)


def _is_count(number: object) -> bool:
    return isinstance(number, int | np.integer) and int(number) >= 1


def _is_same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return one is other or bool(np.array_equal(one, other))

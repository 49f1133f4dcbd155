"""What an additive mask means: which keys are hidden, what is added to the scores of the others."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vl_core.arrays import AllowedKeys
from vl_core.trace import DistanceBias, Mask

# Models hide keys by the lowest number of their type, by -inf or, in old code, by -10000.
_HIDDEN = -1e4

_ROWS = 256  # of a description compared at once: a whole table of steps takes eight bytes for each


@dataclass(frozen=True, eq=False)
class LiveMask:
    """One sequence's mask as attention obeys it.

    allowed: query x key, or None where all is. bias: what is added to the scores of allowed keys
    for each head or for all, or None where nothing is. is_given: whether there was a mask at all;
    one that hides nothing may do so of other tokens.
    """

    allowed: Bool[Tensor, "query key"] | None = None
    bias: Float[Tensor, "some_heads query key"] | None = None
    is_given: bool = False

    @classmethod
    def of(cls, mask: Tensor | None, item: int, shape: tuple[int, int]) -> "LiveMask":
        """The mask of one sequence of a batch.

        mask: additive, or boolean with True for allowed, that broadcasts to (batch, head, query,
        key); shape: the number of queries and keys.
        """
        if mask is None:
            return cls()
        own = mask[min(item, len(mask) - 1)].expand(-1, *shape)
        is_hidden = ~own if own.dtype == torch.bool else own <= _HIDDEN
        bias = torch.zeros_like(own, dtype=torch.float32) if own.dtype == torch.bool else own
        bias = bias.float().masked_fill(is_hidden, 0)
        # A key hidden from some heads only cannot be told by a table without heads.
        is_shared = bool((is_hidden == is_hidden[:1]).all())
        if not is_shared:
            bias = bias.masked_fill(is_hidden, -torch.inf)
        hidden = is_hidden.all(dim=0)
        return cls(~hidden if hidden.any() else None, bias if bias.any() else None, is_given=True)

    def applied(
        self, scores: Float[Tensor, "head row key"], heads: slice, queries: slice, keys: slice
    ) -> Float[Tensor, "head row key"]:
        """The scores of these heads, queries and keys, biased, with -inf for hidden keys.

        The scores may be written into.
        """
        if self.bias is not None:
            shared = len(self.bias) == 1
            scores += self.bias[slice(None) if shared else heads, queries, keys]
        if self.allowed is not None:
            some = self._hidden_among(queries, keys, self.allowed.shape[1])
            is_hidden = ~self.allowed[queries, keys][:, some]
            hiding = torch.zeros_like(is_hidden, dtype=scores.dtype)
            # Adding is faster than filling.
            scores[..., some].add_(hiding.masked_fill_(is_hidden, -torch.inf))
        return scores

    def _hidden_among(self, queries: slice, keys: slice, n_keys: int) -> slice:
        """From the first to the last of these keys that is hidden from any of these queries.

        Most columns of a causal mask hide nothing from the queries of a block.
        """
        firsts, ends = self._hidden_edges[:, queries]
        start, stop, _ = keys.indices(n_keys)
        first, end = np.clip((firsts.min(), ends.max()), start, stop) - start
        return slice(int(first), int(end))

    @cached_property
    def _hidden_edges(self) -> Int[np.ndarray, "2 query"]:
        """For each query its first hidden key and one past the last; where none is, n and 0."""
        if self.allowed is None:
            return np.zeros((2, 0), int)
        is_hidden, n_keys = ~self.allowed, self.allowed.shape[1]
        hides = is_hidden.any(dim=1)
        firsts = is_hidden.byte().argmax(dim=1).where(hides, n_keys)
        ends = (n_keys - is_hidden.flip(1).byte().argmax(dim=1)).where(hides, 0)
        return torch.stack([firsts, ends]).cpu().numpy()

    @cached_property
    def may_hide_all(self) -> bool:
        """Whether a query may have no key at all that it is allowed to look at."""
        if self.bias is not None:
            return True  # it may be -inf, for some heads only
        return self.allowed is not None and not bool(self.allowed.any(dim=1).all())

    @cached_property
    def distances(self) -> DistanceBias | None:
        """The bias as a trace keeps it; None where pairs as far apart have different ones."""
        if self.bias is None or not self.bias.isfinite().all():
            return None
        n_heads, n_queries, n_keys = self.bias.shape
        queries = torch.arange(n_queries - 1, -1, -1, device=self.bias.device)
        places = queries[:, None] + torch.arange(n_keys, device=self.bias.device)
        if self.allowed is not None:
            places = places[self.allowed]  # nothing is known of the bias of hidden keys
        found = self.bias.new_zeros(n_heads, n_queries + n_keys - 1)
        for values, table in zip(found, self.bias, strict=True):
            own = table if self.allowed is None else table[self.allowed]
            values[places] = own
            if not torch.equal(values[places], own):
                return None
        return DistanceBias.of(found.cpu().numpy(), n_queries)

    @cached_property
    def description(self) -> Mask:
        """Which keys are allowed, as a trace keeps it."""
        return Mask() if self.allowed is None else described(self.allowed.cpu().numpy())


def described(allowed: AllowedKeys) -> Mask:
    """The shortest description of a table of allowed keys that gives back the same table."""
    hidden = np.logical_not(allowed.any(axis=0))
    is_padding = hidden if hidden.any() else None
    for mask in (Mask(is_padding=is_padding), *_causal(allowed, is_padding)):
        if _says(mask, allowed):
            return mask
    return Mask("explicit", allowed=allowed)


def _says(mask: Mask, allowed: AllowedKeys) -> bool:
    blocks = (slice(start, start + _ROWS) for start in range(0, len(allowed), _ROWS))
    return all(np.array_equal(mask.rows(rows, *allowed.shape), allowed[rows]) for rows in blocks)


def _causal(allowed: AllowedKeys, is_padding: np.ndarray | None) -> tuple[Mask, ...]:
    """What a causal and a sliding mask would be, read off the edges of the allowed keys."""
    n_queries, n_keys = allowed.shape
    looking = np.flatnonzero(allowed.any(axis=1))
    if not looking.size:
        return ()
    first_keys = allowed.argmax(axis=1)[looking]
    # Queries stand at the end of the keys when earlier keys come from a cache.
    offset = max(0, n_keys - n_queries)
    window = int((looking + offset - first_keys).max()) + 1
    if window < 1:
        return ()
    return (
        Mask("causal", offset=offset, is_padding=is_padding),
        Mask("sliding", offset=offset, window=window, is_padding=is_padding),
    )

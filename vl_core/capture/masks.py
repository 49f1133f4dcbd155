"""What a mask means: which keys are hidden, what is added to the scores of the others.

It is read a block of rows at a time, and kept as the shortest description; nothing else that has a
number for each query and key is formed of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from vl_core.arrays import KeyMask
from vl_core.capture.rules import Rule, rule_of
from vl_core.row_slices import slices
from vl_core.trace import DistanceBias, Mask

# Models hide keys by the lowest number of their type, by -inf or, in old code, by -10000.
_HIDDEN = -1e4

_NUMBERS = 2**20  # of a mask that are looked at at once
_ALL = slice(None)

Size = tuple[int, int]  # the number of queries and keys
# For each of some queries, which keys any head may look at: row x key, boolean.
Rows = Callable[[slice], Tensor]


@dataclass(frozen=True, eq=False)
class LiveMask:
    """One sequence's mask as attention obeys it.

    description: which keys any head may look at. bias: the mask as the model gave it, where it adds
    anything to the scores of allowed keys or hides a key from some heads only; else None.
    is_given: whether there was a mask at all; one that hides nothing may do so of other tokens.
    """

    shape: Size
    device: torch.device
    description: Mask = field(default_factory=Mask)
    bias: Tensor | None = None
    is_given: bool = False

    @classmethod
    def of(cls, mask: Tensor, item: int, shape: Size) -> "LiveMask":
        """The mask of one sequence of a batch.

        mask: additive, or boolean with True for allowed, that broadcasts to (batch, head, query,
        key).
        """
        rule = rule_of(mask)
        if rule is not None:
            found = _by_rule(rule, item)
            return cls(shape, mask.device, found, is_given=True)
        own = mask[min(item, len(mask) - 1)].expand(-1, *shape)
        found = described(lambda rows: ~_is_hidden(own[:, rows]).all(dim=0), shape)
        blocks = (own[:, rows] for rows in _blocks(shape, len(own)))
        bias = own if any(map(_adds, blocks)) else None
        return cls(shape, mask.device, found, bias, is_given=True)

    def allowed(self, queries: slice, keys: slice = _ALL) -> Bool[Tensor, "row key"]:
        """For each of these queries, which of these keys any head may look at."""
        mask = self.description
        if mask.allowed is not None:  # a copy, since what a trace keeps is read-only
            return torch.from_numpy(mask.allowed[queries, keys].copy()).to(self.device)
        places = tuple(
            torch.arange(count, dtype=torch.int32, device=self.device)[some]
            for count, some in zip(self.shape, (queries, keys), strict=True)
        )
        if mask.kind == "full":
            found = torch.ones(*map(len, places), dtype=torch.bool, device=self.device)
        else:
            found = mask.between(*places)
        return found if self._is_shown is None else found & self._is_shown[keys]

    @cached_property
    def _is_shown(self) -> Bool[Tensor, "key"] | None:
        padding = self.description.is_padding
        return None if padding is None else torch.from_numpy(~padding).to(self.device)

    def added(
        self, heads: slice, queries: slice, keys: slice = _ALL
    ) -> Float32[Tensor, "some_heads row key"]:
        """What the bias adds to the scores, of these heads or for all; -inf hides a key."""
        if self.bias is None:
            raise ValueError("a mask without a bias adds nothing")
        some = self.bias[_ALL if len(self.bias) == 1 else heads, queries, keys]
        is_hidden = _is_hidden(some)
        number = torch.zeros_like(some, dtype=torch.float32) if _is_table(some) else some.float()
        return number.masked_fill(is_hidden, -torch.inf)

    def applied(
        self, scores: Float[Tensor, "head row key"], heads: slice, queries: slice, keys: slice
    ) -> Float[Tensor, "head row key"]:
        """The scores of these heads, queries and keys, biased, with -inf for hidden keys.

        The scores may be written into.
        """
        if self.bias is not None:
            return scores.add_(self.added(heads, queries, keys))
        if not self.description.allows_all:
            some, stated = self._hidden_among(queries, keys)
            is_hidden = ~self.allowed(queries, stated)
            hiding = torch.zeros_like(is_hidden, dtype=scores.dtype)
            # Adding is faster than filling.
            scores[..., some].add_(hiding.masked_fill_(is_hidden, -torch.inf))
        return scores

    def _hidden_among(self, queries: slice, keys: slice) -> tuple[slice, slice]:
        """From the first to the last of these keys that is hidden from any of these queries.

        Counted from the first of them, and among all keys. Most columns of a causal mask hide
        nothing from the queries of a block.
        """
        firsts, ends, _ = self._edges[:, queries]
        start, stop, _ = keys.indices(self.shape[1])
        first, end = np.clip((firsts.min(), ends.max()), start, stop)
        end = max(first, end)
        return slice(int(first - start), int(end - start)), slice(int(first), int(end))

    @cached_property
    def _edges(self) -> Int[np.ndarray, "3 query"]:
        """For each query its first hidden key, one past the last, and whether it may look at any.

        Where none is hidden, n and 0.
        """
        n_queries, n_keys = self.shape
        edges = np.empty((3, n_queries), int)
        for rows in _blocks(self.shape):
            is_hidden = ~self.allowed(rows).cpu().numpy()  # numpy is faster here by far
            hides = is_hidden.any(axis=1)
            edges[0, rows] = np.where(hides, is_hidden.argmax(axis=1), n_keys)
            edges[1, rows] = np.where(hides, n_keys - is_hidden[:, ::-1].argmax(axis=1), 0)
            edges[2, rows] = ~is_hidden.all(axis=1)
        return edges

    @cached_property
    def may_hide_all(self) -> bool:
        """Whether a query may have no key at all that it is allowed to look at."""
        if self.bias is not None:
            return True  # it may be -inf, for some heads only
        return not self.description.allows_all and not self._edges[2].all()

    @cached_property
    def distances(self) -> DistanceBias | None:
        """The bias as a trace keeps it; None where pairs as far apart have different ones."""
        if self.bias is None:
            return None
        n_queries, n_keys = self.shape
        found = torch.zeros(len(self.bias), n_queries + n_keys - 1, device=self.device)
        for rows in _blocks(self.shape, len(self.bias)):
            places, own = self._by_distance(rows)
            found[:, places] = own
        for rows in _blocks(self.shape, len(self.bias)):
            places, own = self._by_distance(rows)
            if not (own.isfinite().all() and torch.equal(found[:, places], own)):
                return None
        return DistanceBias.of(found.cpu().numpy(), n_queries)

    def _by_distance(self, rows: slice) -> tuple[Tensor, Tensor]:
        """The place of each distance between these queries and allowed keys, and their bias.

        Nothing is known of the bias of hidden keys.
        """
        n_queries, n_keys = self.shape
        queries, keys = (torch.arange(count, device=self.device) for count in (n_queries, n_keys))
        allowed = self.allowed(rows)
        places = (n_queries - 1 - queries[rows])[:, None] + keys
        return places[allowed], self.added(_ALL, rows)[:, allowed]


def described(rows: Rows, shape: Size) -> Mask:
    """The shortest description of what is allowed that gives back the same, asked for by rows."""
    n_queries, n_keys = shape
    first_keys, looks = np.zeros(n_queries, int), np.zeros(n_queries, bool)
    hidden = np.ones(n_keys, bool)
    for some in _blocks(shape):
        allowed = rows(some).cpu().numpy()
        first_keys[some] = allowed.argmax(axis=1)
        looks[some] = allowed.any(axis=1)
        hidden &= ~allowed.any(axis=0)
    is_padding = hidden if hidden.any() else None
    steps = np.arange(n_queries)[looks] - first_keys[looks]
    for mask in (Mask(is_padding=is_padding), *_causal(steps, shape, is_padding)):
        if _says(mask, rows, shape):
            return mask
    table = np.empty(shape, bool)
    for some in _blocks(shape):
        table[some] = rows(some).cpu().numpy()
    return Mask("explicit", allowed=table)


def _by_rule(rule: Rule, item: int) -> Mask:
    """The description of a rule for one sequence of a batch."""
    if rule.is_causal:
        return Mask("causal")
    return described(lambda rows: rule.allowed(rows)[item, 0], rule.shape[2:])


def _causal(
    steps: Int[np.ndarray, "looking"], shape: Size, is_padding: KeyMask | None
) -> tuple[Mask, ...]:
    """What a causal and a sliding mask would be, by how far queries look back."""
    # Queries stand at the end of the keys when earlier keys come from a cache.
    offset = max(0, shape[1] - shape[0])
    window = int(steps.max(initial=-offset - 1)) + offset + 1
    if window < 1:
        return ()
    return (
        Mask("causal", offset=offset, is_padding=is_padding),
        Mask("sliding", offset=offset, window=window, is_padding=is_padding),
    )


def _says(mask: Mask, rows: Rows, shape: Size) -> bool:
    return all(
        np.array_equal(mask.rows(some, *shape), rows(some).cpu().numpy()) for some in _blocks(shape)
    )


def _blocks(shape: Size, n_heads: int = 1) -> list[slice]:
    return slices(shape[0], _NUMBERS // max(1, shape[1] * n_heads))


def _is_table(mask: Tensor) -> bool:
    return mask.dtype == torch.bool


def _is_hidden(mask: Tensor) -> Tensor:
    return ~mask if _is_table(mask) else mask <= _HIDDEN


def _adds(mask: Tensor) -> bool:
    """Whether this (head x row x key) says more than which keys are allowed to all heads."""
    is_hidden = _is_hidden(mask)
    # A key hidden from some heads only cannot be told by a table without heads.
    if bool((is_hidden != is_hidden[:1]).any()):
        return True
    return not _is_table(mask) and bool(((mask != 0) & ~is_hidden).any())

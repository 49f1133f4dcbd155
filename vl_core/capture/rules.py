"""Masks as the rules that they follow: a table of them is made only for who asks for one.

A table takes a number for each query and key, which at 8,000 tokens is 256 MB before anything is
attended to. transformers makes it of a function of places in the sequence; here that function
travels in the table's stead, and is asked for a block of rows at a time.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils._pytree import tree_map_only
from transformers.masking_utils import eager_mask, sdpa_mask

from vl_core.row_slices import reached, slices

BLOCK_BYTES = 4 * 2**20  # of a table at once

_ALL = slice(None)
_MOVES = {torch.ops.aten.to, torch.ops.aten._to_copy}  # noqa: SLF001 torch has no other name for it


@dataclass(frozen=True, eq=False)
class Rule:
    """Which keys the queries of a batch may look at, told by their places.

    options: what transformers' `eager_mask` makes the whole table of. is_causal: whether just what
    comes later is hidden, from as many queries as there are keys.
    """

    options: Mapping[str, Any]
    is_causal: bool

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Batch, 1 for all heads, queries, keys."""
        sizes = (self.options[name] for name in ("batch_size", "q_length", "kv_length"))
        batch, n_queries, n_keys = sizes
        return batch, 1, n_queries, n_keys

    @property
    def n_bytes(self) -> int:
        """Of the whole table."""
        batch, _, n_queries, n_keys = self.shape
        return batch * n_queries * n_keys * self.options["dtype"].itemsize

    def allowed(self, queries: slice, keys: slice = _ALL) -> Bool[Tensor, "batch one row key"]:
        """For each of these queries, in a row, which of these keys it may look at."""
        made: Tensor = sdpa_mask(**self._part(queries, keys), allow_is_causal_skip=False)
        return made

    def added(self, queries: slice, keys: slice = _ALL) -> Float[Tensor, "batch one row key"]:
        """What eager attention adds to the scores of these queries and keys."""
        made: Tensor = eager_mask(**self._part(queries, keys))
        return made

    def _part(self, queries: slice, keys: slice) -> dict[str, Any]:
        *_, n_queries, n_keys = self.shape
        first_query, end_query, _ = queries.indices(n_queries)
        first_key, end_key, _ = keys.indices(n_keys)
        return {
            **self.options,
            "q_length": end_query - first_query,
            "q_offset": self.options["q_offset"] + first_query,
            "kv_length": end_key - first_key,
            "kv_offset": self.options["kv_offset"] + first_key,
        }

    @cached_property
    def pieces(self) -> list[tuple[slice, slice]]:
        """Queries that are attended with at once, and the keys that any of them may look at."""
        n_queries = self.shape[2]
        most = BLOCK_BYTES * n_queries // max(1, self.n_bytes)
        return [(queries, self._reached(queries)) for queries in slices(n_queries, most)]

    def _reached(self, queries: slice) -> slice:
        allowed = self.allowed(queries)
        # Where every key is hidden, eager attention spreads evenly over all of them.
        looks_everywhere = not allowed.any(dim=-1).all()
        return slice(0, self.shape[3]) if looks_everywhere else reached(allowed.flatten(0, 2))


class RuleMask(Tensor):
    """The additive mask of eager attention, told by its rule.

    It can be taken to another device as it is. Whatever else is done with it, by modules that
    compute attention on their own, is done with its table, which it is from then on: they may have
    written into it.
    """

    rule: Rule
    table: Tensor | None
    # What its functions give are plain tensors. The stubs know neither of the two as torch has it.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment] # noqa: SLF001

    @classmethod
    def of(cls, rule: Rule, device: torch.device) -> "RuleMask":
        """The mask on this device, wherever the rule was made."""
        made: RuleMask = Tensor._make_wrapper_subclass(  # noqa: SLF001 torch has no other name for it
            cls, rule.shape, dtype=rule.options["dtype"], device=device
        )
        made.rule, made.table = rule, None
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override] # as above
        cls,
        func: Any,  # noqa: ANN401 the signature is torch's
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Any operation of torch on such a mask."""
        kwargs = kwargs or {}
        if func.overloadpacket in _MOVES and isinstance(args[0], cls):
            moved = _moved(func, *args, **kwargs)
            if moved is not None:
                return moved
        args, kwargs = tree_map_only(cls, _table, (args, kwargs))
        return func(*args, **kwargs)


def rule_of(mask: Tensor | None) -> Rule | None:
    """The rule that this mask is told by, if it is."""
    return mask.rule if isinstance(mask, RuleMask) and mask.table is None else None


def _moved(func: Callable[..., Any], mask: RuleMask, *to: Any, **how: Any) -> RuleMask | None:  # noqa: ANN401 whatever torch is told
    """The mask on the device where it is asked for; None if it is asked for in another type."""
    like = func(torch.empty(0, dtype=mask.dtype, device=mask.device), *to, **how)
    if mask.table is not None or like.dtype != mask.dtype:
        return None
    return mask if like.device == mask.device else RuleMask.of(mask.rule, like.device)


def _table(mask: RuleMask) -> Tensor:
    if mask.table is None:
        # Within an operation torch cannot map a model's own function over places; another thread is
        # within none.
        with ThreadPoolExecutor(1) as aside:
            mask.table = aside.submit(mask.rule.added, _ALL).result().to(mask.device)
    return mask.table

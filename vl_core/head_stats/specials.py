"""A stack as if its special tokens had not been there."""

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from vl_core.arrays import KeyMask, QueryMask, TokenMask
from vl_core.trace import Block, Kept, KeptNothing, KeptWeights, Mask, Stack

Masks = dict[tuple[Mask, tuple[int, int], bytes, bytes], Mask]


def without_specials(stack: Stack) -> Stack:
    """The stack without special tokens, each row of its weights divided by what is left of it.

    Padding stays. Stored statistics do not: they belong to the whole stack.
    """
    asking, offered = ~stack.queries.is_special, ~stack.keys.is_special
    queries = stack.queries.chosen(asking)
    keys = queries if stack.keys is stack.queries else stack.keys.chosen(offered)
    masks: Masks = {}  # most layers have the same one
    blocks = tuple(
        tuple(_block(block, asking, offered, masks) for block in layer) for layer in stack.blocks
    )
    return replace(stack, queries=queries, keys=keys, blocks=blocks, head_stats={})


def _block(block: Block, asking: QueryMask, offered: KeyMask, masks: Masks) -> Block:
    """The block between the tokens that are kept, which are counted anew."""
    rows = np.flatnonzero(asking[block.query_positions])
    columns = np.flatnonzero(offered[block.key_positions])
    return Block(
        _renumbered(block.query_positions[rows], asking),
        _renumbered(block.key_positions[columns], offered),
        _kept(block.kept, rows, columns, masks),
    )


def _renumbered(positions: Int[np.ndarray, "chosen"], kept: TokenMask) -> Int[np.ndarray, "chosen"]:
    return (np.cumsum(kept) - 1)[positions]


def _kept(
    kept: Kept,
    rows: Int[np.ndarray, "query"],
    columns: Int[np.ndarray, "key"],
    masks: Masks,
) -> Kept:
    _, n_queries, n_keys = kept.shape
    asked = (kept.mask, (n_queries, n_keys), rows.tobytes(), columns.tobytes())
    mask = masks.get(asked) or masks.setdefault(asked, _mask(kept, rows, columns))
    if isinstance(kept, KeptNothing):
        return KeptNothing((kept.shape[0], len(rows), len(columns)), mask)
    if isinstance(kept, KeptWeights):
        weights = kept.values[:, rows][:, :, columns].astype(np.float32)
        left = weights.sum(axis=-1, keepdims=True)
        weights = np.divide(weights, left, out=weights, where=left > 0)
        return KeptWeights(weights.astype(np.float16), mask)
    # A softmax over fewer keys is the old row divided by what is left of it.
    return replace(
        kept,
        queries=kept.queries[:, rows],
        keys=kept.keys[:, columns],
        mask=mask,
        bias=None if kept.bias is None else kept.bias.chosen(rows, columns),
    )


def _mask(
    kept: Kept,
    rows: Int[np.ndarray, "query"],
    columns: Int[np.ndarray, "key"],
) -> Mask:
    if kept.mask.allows_all:
        return Mask()
    _, n_queries, n_keys = kept.shape
    allowed = kept.mask.rows(slice(None), n_queries, n_keys)[np.ix_(rows, columns)]
    return Mask() if allowed.all() else Mask("explicit", allowed=allowed)

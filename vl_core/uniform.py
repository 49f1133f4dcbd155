"""What every key would receive if the queries looked at all they may alike.

It depends on masks and on nothing learned, and is what a share of attention is compared with: where
half of the keys are special tokens, giving them half says nothing.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vl_core.arrays import QueryMask
from vl_core.row_slices import slices
from vl_core.structure import BlockName, block_name
from vl_core.trace import Block, Stack

BLOCK_ROWS = 256  # whose allowed keys are formed together

Total = tuple[Float[np.ndarray, "key"], int]


def uniform_shares(
    stack: Stack, queries: QueryMask, layers: Sequence[int] | None = None
) -> Float[np.ndarray, "layer key"]:
    """For each layer, the share of these queries' attention that each key would get; 0..1.

    The mean over those of the queries that may look at anything; nan if there are none. layers:
    which, None for all. Padding is never looked at.
    """
    known: dict[BlockName, Total] = {}  # most layers share one mask
    shares = []
    for layer in range(stack.n_layers) if layers is None else layers:
        total, count = np.zeros(len(stack.keys)), 0
        for block in stack.blocks[layer]:
            name = block_name(block)
            if name not in known:
                known[name] = _of_block(stack, block, queries)
            added, looking = known[name]
            total[block.key_positions] += added
            count += looking
        shares.append(total / count if count else np.full(len(total), np.nan))
    return np.stack(shares)


def _of_block(stack: Stack, block: Block, queries: QueryMask) -> Total:
    """What each key of the block would get in all, and of how many queries."""
    _, *shape = block.kept.shape
    asking = queries[block.query_positions]
    is_padding = stack.keys.is_padding[block.key_positions]
    total, count = np.zeros(shape[1]), 0
    for rows in slices(shape[0], BLOCK_ROWS):
        if not asking[rows].any():
            continue
        allowed = block.kept.mask.rows(rows, *shape)[asking[rows]] & ~is_padding
        n_allowed = allowed.sum(axis=1)
        total += (1 / np.maximum(n_allowed, 1)) @ allowed
        count += int((n_allowed > 0).sum())
    return total, count

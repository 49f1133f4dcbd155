"""Whether a stream is read in order, told by what its first tokens may look at."""

import numpy as np

from vl_core.arrays import KeyMask
from vl_core.trace import Stack


def first_token(stack: Stack) -> int | None:
    """The first token that is no padding, if it sees only itself and the next token sees it.

    None where the stream looks ahead from its first token on, or where it looks at another.
    """
    tokens = np.flatnonzero(~stack.queries.is_padding)
    if not stack.is_self_attention or len(tokens) < 2:
        return None
    first, following = tokens[:2].tolist()
    sees = np.flatnonzero(_allowed(stack, first))
    is_first = sees.tolist() == [first] and _allowed(stack, following)[first]
    return first if is_first else None


def _allowed(stack: Stack, query: int) -> KeyMask:
    """What one query may look at in the first layer, padding left out."""
    allowed = np.zeros(len(stack.keys), bool)
    for block in stack.blocks[0]:
        for row in np.flatnonzero(block.query_positions == query):
            _, *shape = block.kept.shape
            allowed[block.key_positions] = block.kept.mask.rows(slice(row, row + 1), *shape)[0]
    return allowed & ~stack.keys.is_padding

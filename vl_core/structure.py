"""What attention cannot do whatever was learned: it follows from the masks of a stack alone."""

import numpy as np
from jaxtyping import Int

from vl_core.arrays import KeyMask, QueryMask
from vl_core.trace import Block, Mask, Stack, Trace

Places = Int[np.ndarray, "query"]
BlockName = tuple[int, bytes, bytes]

ROWS = 256  # of a mask, formed at once


def reachable_keys(stack: Stack, queries: QueryMask) -> KeyMask:
    """Which keys any of these queries may look at, in any layer; takes no room of query x key."""
    found = np.zeros(len(stack.keys), bool)
    for block in _unlike(stack):
        asking = np.flatnonzero(queries[block.query_positions])
        found[block.key_positions] |= _reached(block.kept.mask, asking, block)
    return found


def block_name(block: Block) -> BlockName:
    """The same for blocks of a stack with one mask over the same queries and keys.

    It holds as long as the stack is there: masks are told apart by where they lie in memory.
    """
    return id(block.kept.mask), block.query_positions.tobytes(), block.key_positions.tobytes()


def _unlike(stack: Stack) -> list[Block]:
    """One block of each mask and positions: most stacks have one or two masks for all layers."""
    return list({block_name(block): block for layer in stack.blocks for block in layer}.values())


def looks_ahead(stack: Stack) -> bool:
    """Whether any token of a stream may look at one that comes after it; padding does not count.

    The place of words and patches in a stream does not tell: a model that reads words in their
    order may let the patches of a picture see each other.
    """
    return any(_sees_later(block, stack.queries.is_padding) for block in _unlike(stack))


def _sees_later(block: Block, is_padding: QueryMask) -> bool:
    places, keys = block.query_positions, block.key_positions
    for start in range(0, len(places), ROWS):
        some = slice(start, start + ROWS)
        is_later = keys > places[some, None]
        is_later &= block.kept.mask.rows(some, len(places), len(keys))
        if is_later[~is_padding[places[some]]].any():
            return True
    return False


def is_structurally_zero(stack: Stack, queries: QueryMask, keys: KeyMask) -> bool:
    """Whether none of these queries may look at any of these keys, in no layer.

    So it is for patches and words where the picture comes first and nobody looks ahead.
    """
    return not reachable_keys(stack, queries)[keys].any()


def looking_queries(stack: Stack) -> QueryMask:
    """Which queries have a row in any layer: across streams some tokens may not look at all."""
    found = np.zeros(len(stack.queries), bool)
    for layer in stack.blocks:
        for block in layer:
            found[block.query_positions] = True
    return found


def can_predict(trace: Trace, stack: Stack) -> bool:
    """Whether a generated token has two positions: one that predicts it and one that reads it.

    That is so where the stream of the queries writes its answer: it has generated tokens, and in
    its own attention none of them sees what comes after it.
    """
    is_generated = stack.queries.is_generated
    own = [
        one
        for one in trace.stacks.values()
        if one.is_self_attention and one.query_stream == stack.query_stream
    ]
    return bool(is_generated.any()) and any(not _answer_looks_ahead(one) for one in own)


def _answer_looks_ahead(stack: Stack) -> bool:
    positions = np.arange(len(stack.queries))
    return any(
        reachable_keys(stack, positions == token)[token + 1 :].any()
        for token in np.flatnonzero(stack.queries.is_generated)
    )


def _reached(mask: Mask, asking: Places, block: Block) -> KeyMask:
    """Which keys of a block these queries of it may look at."""
    n_keys = len(block.key_positions)
    reached = np.zeros(n_keys, bool)
    if not asking.size:
        return reached
    if mask.kind == "full":
        reached[:] = True
    elif mask.allowed is not None:
        for query in asking:
            reached |= mask.allowed[query]
    else:
        reached |= _spanned(mask, asking, n_keys)
    return reached if mask.is_padding is None else reached & ~mask.is_padding


def _spanned(mask: Mask, asking: Places, n_keys: int) -> KeyMask:
    """Keys between the first and the last that each query may see: a span opens, a span ends."""
    past = asking + mask.offset + 1
    ends = np.clip(past, 0, n_keys)
    starts = 0 * ends if mask.window is None else np.clip(past - mask.window, 0, n_keys)
    steps = np.zeros(n_keys + 1, int)
    np.add.at(steps, starts, 1)
    np.add.at(steps, ends, -1)
    return np.asarray(steps[:-1].cumsum() > 0)

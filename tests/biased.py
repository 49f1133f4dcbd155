"""Stacks of one layer whose queries and keys have a bias, or all their digits."""

from dataclasses import replace

import numpy as np

from tests.builders import random_block, random_tokens
from vl_core.trace import Block, DistanceBias, Mask, Stack

TOKENS = random_tokens(n_text=5, rows=4, columns=5)


def biased(kind: str, rows: int) -> Stack:
    """6 heads on 2 sets of keys, with a bias for each head or one for all; numbers of this kind."""
    everyone = np.arange(len(TOKENS))
    block = random_block(
        np.random.default_rng(1),
        everyone,
        everyone,
        heads=6,
        key_heads=2,
        kept="queries_keys",
        mask=Mask("causal"),
        softcap=3.0,
    )
    return _stack(TOKENS, _with(block, kind, rows))


def mixed() -> Stack:
    """Three blocks of 3 heads: half precision, single precision with a bias, half precision.

    The first takes an odd number of pairs of bytes, after which no float32 can be read in place.
    """
    patches = random_tokens(n_text=0, rows=7, columns=9, specials=False)
    first, second, third = (
        random_block(np.random.default_rng(4), places, places, heads=3, kept="queries_keys")
        for places in np.split(np.arange(63), [21, 42])
    )
    return _stack(patches, first, _with(second, "f4", 3), third)


def _with(block: Block, kind: str, rows: int) -> Block:
    _, n_queries, n_keys = block.kept.shape
    values = np.random.default_rng(2).normal(size=(rows, n_queries + n_keys - 1)).astype("f4")
    # In single precision its digits are more than float16 has.
    numbers = {
        name: (getattr(block.kept, name).astype("f4") * np.float32(1.001)).astype(kind)
        for name in ("queries", "keys")
    }
    bias = DistanceBias.of(values, n_queries)
    return replace(block, kept=replace(block.kept, bias=bias, **numbers))


def _stack(tokens, *blocks: Block) -> Stack:
    return Stack("s", "vision", "vision", tokens, tokens, (0,), (blocks,))

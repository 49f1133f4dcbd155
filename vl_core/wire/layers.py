"""A layer of attention in parts that the browser can work with: description, heads, keys, masks.

Every array is little-endian. A head comes as the largest weight between words and patches, one
float32; then, for each block in turn, a float32 for each query, and for each distance where the
block has a bias; then, for each block in turn, the rest of it. A block of weights has the rows'
maxima and their codes of 16 bits (see `codes`). A block of queries and keys has the logarithm of
each row's sum of exponentials, infinite where a query may look at nothing, what is added for each
distance, and the queries, in float16 or as precise as they are kept; its keys are sent once for all
heads that share them: weight = exp(bent(scaling * query @ key) + bias - log sum), bent as `softcap`
says, with the bias of the key's place less the query's.

The log sums are sent although the browser could work them out: that takes it the square of the
number of tokens, half a second for one head of 2,000 tokens, where the server takes a fiftieth of
it; with them a column costs no more than a row.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from vl_core.arrays import KeyMask, LayerAttention, QueryMask
from vl_core.trace import Block, KeptQueriesKeys, Mask
from vl_core.wire.codes import packed

Layer = Sequence[Block]

CHUNK = 8 * 2**20  # bytes of scores that are formed at once


@dataclass(frozen=True)
class LayerSizes:
    """What a layer takes: bytes of all its heads, and products for one row of one head."""

    bytes: int
    products: int


def sizes(layer: Layer) -> LayerSizes:
    """How large a layer is on the wire, and how much work in the browser."""
    size, products = 0, 1
    for block in layer:
        heads, n_queries, n_keys = block.kept.shape
        size += 4 * heads * n_queries
        if kept := _sent_as_keys(block):
            size += kept.queries.nbytes + kept.keys.nbytes
            size += 0 if kept.bias is None else 4 * heads * kept.bias.values.shape[1]
            products = max(products, n_keys * kept.queries.shape[2])
        else:
            size += 2 * heads * n_queries * n_keys
            products = max(products, n_keys)
    return LayerSizes(size, products)


def described(layer: Layer, counts: tuple[int, int], mask_name: Callable[[Mask], str]) -> bytes:
    """The layer's blocks as JSON: positions, masks, and how weights follow from what is sent.

    counts: queries and keys of the stack. mask_name: where the bits of an explicit mask are found.
    """
    n_queries, n_keys = counts
    blocks = [_described(block, counts, mask_name) for block in layer]
    groups = key_groups(layer)
    heads = layer[0].kept.shape[0]
    content = {"queries": n_queries, "keys": n_keys, "groups": groups, "count": heads}
    return json.dumps(content | {"blocks": blocks}).encode()


def _described(
    block: Block, counts: tuple[int, int], mask_name: Callable[[Mask], str]
) -> dict[str, Any]:
    _, n_queries, n_keys = block.kept.shape
    common = {
        "nQueries": n_queries,
        "nKeys": n_keys,
        "queries": _positions(block.query_positions, counts[0]),
        "keys": _positions(block.key_positions, counts[1]),
    }
    kept = _sent_as_keys(block)
    if kept is None:
        return common
    mask = kept.mask
    padding = None if mask.is_padding is None else np.flatnonzero(mask.is_padding).tolist()
    bias = kept.bias and {
        "distances": kept.bias.values.shape[1],
        "queries": kept.bias.queries.tolist(),
        "keys": kept.bias.keys.tolist(),
    }
    return common | {
        "dim": kept.queries.shape[2],
        "isPrecise": kept.is_precise,
        "bias": bias,
        "scaling": float(kept.scaling),
        "softcap": kept.softcap,
        "mask": {
            "kind": mask.kind,
            "offset": int(mask.offset),
            "window": None if mask.window is None else int(mask.window),
            "padding": padding,
            "allowed": None if mask.allowed is None else mask_name(mask),
        },
    }


def _positions(positions: np.ndarray, count: int) -> list[int] | None:
    """None where they are all positions in their order, as they are in most layers."""
    is_all = len(positions) == count and (positions == np.arange(count)).all()
    return None if is_all else positions.tolist()


def head(layer: Layer, number: int, is_asking: QueryMask, is_offered: KeyMask) -> bytes:
    """One head of a layer, as the module says.

    is_asking, is_offered: the queries and keys, of the stack's, that the largest weight is among.
    """
    top, wide, narrow = 0.0, [], []
    for block in layer:
        asking, offered = is_asking[block.query_positions], is_offered[block.key_positions]
        kept = _sent_as_keys(block)
        highest, numbers, content = (
            _computed(kept, number, asking, offered)
            if kept
            else _coded(block.kept.rows(slice(number, number + 1), slice(None)), asking, offered)
        )
        top = max(top, highest)
        wide.append(numbers)
        narrow.append(content)
    return np.float32(top).astype("<f4").tobytes() + b"".join([*wide, *narrow])


def _coded(
    weights: LayerAttention, asking: QueryMask, offered: KeyMask
) -> tuple[float, bytes, bytes]:
    content, split = packed(weights), 4 * weights.shape[1]
    highest = float(weights[0][np.ix_(asking, offered)].max(initial=0))
    return highest, content[:split], content[split:]


def _computed(
    kept: KeptQueriesKeys, head: int, asking: QueryMask, offered: KeyMask
) -> tuple[float, bytes, bytes]:
    log_sums, highest = _sums_and_highest(kept, head, offered)
    top = float(np.exp(highest - log_sums)[asking].max(initial=0))
    bias = b"" if kept.bias is None else kept.bias.of_head(head).astype("<f4").tobytes()
    return top, log_sums.astype("<f4").tobytes() + bias, _sent(kept.queries[head])


def _sent(numbers: Float[np.ndarray, "token dim"]) -> bytes:
    return numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()


def _sums_and_highest(
    kept: KeptQueriesKeys, head: int, offered: KeyMask
) -> tuple[Float32[np.ndarray, "query"], Float32[np.ndarray, "query"]]:
    """For each query the log of its row's sum, inf for an empty row, and its highest score."""
    _, n_queries, n_keys = kept.shape
    sums, highest = np.empty(n_queries, np.float32), np.empty(n_queries, np.float32)
    step = max(1, CHUNK // max(1, 4 * n_keys))
    for start in range(0, n_queries, step):
        rows = slice(start, start + step)
        scores = kept.scores(slice(head, head + 1), rows)[0]
        highest[rows] = scores[:, offered].max(axis=1, initial=-np.inf)
        peaks = scores.max(axis=1, initial=-np.inf)
        peaks = np.where(np.isfinite(peaks), peaks, 0)
        scores -= peaks[:, None]
        total = np.exp(scores, out=scores).sum(axis=1)
        is_empty = total == 0
        sums[rows] = np.where(is_empty, np.inf, np.log(np.where(is_empty, 1, total)) + peaks)
    return sums, highest


def key_groups(layer: Layer) -> int:
    """In how many parts the keys of a layer are sent; head h needs part h * groups // heads."""
    return math.lcm(*(len(kept.keys) for block in layer if (kept := _sent_as_keys(block))))


def keys(layer: Layer, group: int) -> bytes:
    """The keys of a group of heads, block after block; nothing if there are none."""
    groups = key_groups(layer)
    return b"".join(
        _sent(kept.keys[group * len(kept.keys) // groups])
        for block in layer
        if (kept := _sent_as_keys(block))
    )


def tables(layer: Layer) -> list[Mask]:
    """The masks of a layer that are sent as tables, beside its description."""
    found = (kept.mask for block in layer if (kept := _sent_as_keys(block)))
    return [mask for mask in found if mask.allowed is not None]


def mask_bits(mask: Mask) -> bytes:
    """Which keys each query may look at, query by query, eight to a byte, the first one lowest."""
    if mask.allowed is None:
        raise ValueError(f"a {mask.kind} mask is described and has no table")
    return np.packbits(mask.allowed, axis=None, bitorder="little").tobytes()


def _sent_as_keys(block: Block) -> KeptQueriesKeys | None:
    """What is kept of the block if its queries and keys are sent and not its weights."""
    kept = block.kept
    if not isinstance(kept, KeptQueriesKeys):
        return None
    heads, n_queries, n_keys = kept.shape
    is_smaller = kept.queries.nbytes + kept.keys.nbytes < 2 * heads * n_queries * n_keys
    return kept if is_smaller else None

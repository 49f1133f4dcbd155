"""Attention as bytes for the browser: weights as codes, or the queries and keys they follow from.

Where a layer has few tokens its weights go there, square-root coded; where it has thousands, its
queries and keys, a hundredth of the bytes, from which the browser works out rows and columns.
"""

from vl_core.wire.codes import decode, encode, packed
from vl_core.wire.layers import (
    LayerSizes,
    described,
    head,
    key_groups,
    keys,
    mask_bits,
    sizes,
    tables,
)

__all__ = [
    "LayerSizes",
    "decode",
    "described",
    "encode",
    "head",
    "key_groups",
    "keys",
    "mask_bits",
    "packed",
    "sizes",
    "tables",
]

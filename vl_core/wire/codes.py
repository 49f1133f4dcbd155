"""Attention weights as codes: half of float32, and exact to what is printed.

A weight is sent as the square root of its share of the row's largest weight, in 65535 steps.
"""

import numpy as np
from jaxtyping import Float32, UInt16

from vl_core.arrays import LayerAttention

STEPS = 65535

Codes = UInt16[np.ndarray, "head query key"]
RowMaxima = Float32[np.ndarray, "head query"]


def packed(weights: LayerAttention) -> bytes:
    """A layer as it is sent, little-endian.

    First the rows' maxima, head x query as float32, then the codes, head x query x key as uint16:
    in this order both lie where a browser can read them as they are.
    """
    codes, maxima = encode(weights)
    return maxima.astype("<f4").tobytes() + codes.astype("<u2").tobytes()


def encode(weights: LayerAttention) -> tuple[Codes, RowMaxima]:
    """Codes and the largest weight of each row; weight = maximum * (code / 65535) squared.

    A weight comes back within 1.6e-5 of its row's maximum, the smaller the closer, and the
    maximum itself exactly. What is not zero never becomes zero, and a row of zeros stays one.
    """
    maxima = weights.max(axis=-1, initial=0)
    divisors = np.where(maxima > 0, maxima, 1)
    codes = np.rint(STEPS * np.sqrt(weights / divisors[..., None]))
    return np.maximum(codes, weights > 0).astype(np.uint16), maxima.astype(np.float32)


def decode(codes: Codes, maxima: RowMaxima) -> LayerAttention:
    """The weights that the browser makes of it, float32."""
    return maxima[..., None] * np.square(codes / np.float32(STEPS))

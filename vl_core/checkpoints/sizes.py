"""How many bytes numbers take, and bytes in words."""

from typing import Literal, get_args

# How the numbers of a model are kept in memory.
Kept = Literal["float32", "bfloat16", "float16", "8-bit", "4-bit"]
KEPT: tuple[Kept, ...] = get_args(Kept)
QUANTIZED: tuple[Kept, ...] = ("8-bit", "4-bit")

# Bytes for each number. In 4 bits a float32 scale goes with every 64 numbers.
BYTES: dict[Kept, float] = {
    "float32": 4,
    "bfloat16": 2,
    "float16": 2,
    "8-bit": 1,
    "4-bit": 0.5 + 4 / 64,
}

# What running needs beside the weights, as a share of them: a rule of thumb for one example at a
# time (EleutherAI, "Transformer Math 101", section on inference).
_BESIDE = 0.2
# For a small model that is little: the check when it is loaded took SmolVLM-256M 257 MB in float32.
# Of one that is smaller still, it takes no more than the weights.
_BESIDE_SMALL = 300e6


def needed(weights: float) -> int:
    """Bytes of memory to load, check and run a model whose weights take so many."""
    return int(weights + max(weights * _BESIDE, min(weights, _BESIDE_SMALL)))


def readable(n_bytes: float) -> str:
    """Bytes in decimal units, as disks and downloads are given: "7.3 MB", "15 GB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size / 2:
            amount = n_bytes / size
            return f"{amount:.0f} {unit}" if amount >= 10 else f"{amount:.1f} {unit}"
    return f"{n_bytes / 1e3:.0f} kB"

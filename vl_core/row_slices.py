"""Rows a few at a time, and only as far along them as it matters."""

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def slices(count: int, most: int) -> list[slice]:
    """Slices of `count` things, about the same size each and no larger than `most`."""
    n_slices = max(1, -(-count // max(1, most)))
    edges = [count * number // n_slices for number in range(n_slices + 1)]
    return [slice(start, end) for start, end in pairwise(edges)]


def reached(allowed: "torch.Tensor") -> slice:
    """The keys from the first to the last that any row (row x key) may look at; one at least.

    Under a causal mask that is little more than half of all, with a window a few.
    """
    keys = allowed.any(dim=0).nonzero()
    if not len(keys):
        return slice(0, 1)
    return slice(int(keys[0]), int(keys[-1]) + 1)

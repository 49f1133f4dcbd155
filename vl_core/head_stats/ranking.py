"""The order of the weights in each row, and how unequal they are."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

RUN = 512  # numpy sorts up to so many numbers without branches, three to seven times as fast each


def pair_differences(
    weights: "torch.Tensor", n_counted: "torch.Tensor", total: "torch.Tensor"
) -> "torch.Tensor":
    """Head x row: the differences |a - b| of all pairs of weights in a row, summed.

    n_counted: for each row, how many of its weights count; all others are 0. total: their sum,
    head x row. The result is sum((2 i - n - 1) w_i) over the n counted weights from the smallest
    to the largest, i from 1; the zeros sort to the front and only shift i.
    """
    ranked = ascending(weights)
    n_ranks = ranked.shape[-1]
    ranks = ranked.new_tensor(np.arange(1, n_ranks + 1))
    return 2 * (ranked @ ranks - total * (n_ranks - n_counted)) - (n_counted + 1) * total


def differences_from(
    weights: "torch.Tensor", n_counted: "torch.Tensor", total: "torch.Tensor", one: "torch.Tensor"
) -> "torch.Tensor":
    """Head x row: the differences |a - b| of all weights in a row from one of them, summed.

    weights, n_counted, total: as in `pair_differences`. one: head x row.
    """
    import torch  # noqa: PLC0415 the registry of statistics is imported before the first paint

    # |a - b| is 2 max(a, b) - a - b, and as much as b for each zero that does not count.
    larger = torch.maximum(weights, one[..., None]).sum(dim=-1)
    return 2 * larger - total - (2 * weights.shape[-1] - n_counted) * one


def ascending(weights: "torch.Tensor") -> "torch.Tensor":
    """Each row's weights, none of them negative, from the smallest to the largest.

    A row may get a few zeros more, which come first.
    """
    if weights.device.type != "cpu":
        return weights.sort(dim=-1).values
    n_keys = weights.shape[-1]
    n_runs = -(-n_keys // RUN)
    length = -(-n_keys // n_runs)
    n_more = n_runs * length - n_keys
    runs = weights.new_empty(*weights.shape[:-1], n_runs * length)
    runs[..., :n_more] = 0
    runs[..., n_more:] = weights
    _sort(runs.view(-1, n_runs, length))
    return runs


def _sort(runs: "torch.Tensor") -> None:
    """Sort each row, given as several runs (row x run x number), from its first run to its last.

    A row of thousands is sorted as runs that take part in a sorting network as single numbers
    would: two runs that meet are parted into the smaller and the larger half of their numbers.
    """
    import torch  # noqa: PLC0415 as above

    # Bits of numbers that are not negative have the order of the numbers; integers sort faster.
    bits = runs.view(torch.int64 if runs.dtype == torch.float64 else torch.int32)
    numbers = bits.numpy()
    numbers.sort(axis=-1)
    for low, high in _network(runs.shape[1]):
        falling = bits[:, high].flip(-1)
        torch.maximum(bits[:, low], falling, out=bits[:, high])
        torch.minimum(bits[:, low], falling, out=bits[:, low])
        for run in (low, high):
            numbers[:, run].sort(axis=-1)


@cache
def _network(count: int) -> list[tuple[int, int]]:
    """Which places to compare, and swap if they are out of order, so that `count` are sorted.

    Source: Batcher's merge exchange, Knuth, The Art of Computer Programming 3, 5.2.2 M.
    """
    halvings = [1 << power for power in reversed(range((count - 1).bit_length()))]
    return [
        (first, first + apart)
        for half in halvings
        for apart, bit in [(half, 0), *((q - half, half) for q in halvings if q > half)]
        for first in range(count - apart)
        if first & half == bit
    ]

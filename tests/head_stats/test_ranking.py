"""Sorting many rows at once, and sums of differences, against plain definitions."""

import itertools

import numpy as np
import pytest
import torch

from vl_core.head_stats import ranking

LENGTHS = (1, 2, 300, 512, 513, 1030, 1537, 2600)


def _rows(n_keys, dtype, heads=2, rows=3):
    """Weights with ties, zeros and numbers of every size."""
    rng = np.random.default_rng(n_keys)
    weights = rng.lognormal(sigma=9, size=(heads, rows, n_keys))
    weights[rng.random(weights.shape) < 0.2] = 0
    weights[rng.random(weights.shape) < 0.2] = 0.25
    return torch.tensor(weights, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_keys", LENGTHS)
def test_rows_of_any_length_are_sorted(n_keys, dtype):
    """The numbers come out as numpy sorts them, at most with zeros before them."""
    weights = _rows(n_keys, dtype)
    before = weights.clone()
    came = ranking.ascending(weights)
    n_more = came.shape[-1] - n_keys

    assert torch.equal(weights, before)
    assert came.dtype == dtype
    assert n_more < -(-n_keys // ranking.RUN)
    assert (came[..., :n_more] == 0).all()
    assert (came[..., n_more:].numpy() == np.sort(weights.numpy(), axis=-1)).all()


@pytest.mark.parametrize("count", range(1, 12))
def test_network_sorts_all_zeros_and_ones(count):
    """A network of comparisons that sorts every row of zeros and ones sorts everything."""
    rows = np.array(list(itertools.product((0, 1), repeat=count)))
    for low, high in ranking._network(count):
        rows[:, low], rows[:, high] = (
            rows[:, [low, high]].min(axis=1),
            rows[:, [low, high]].max(axis=1),
        )

    assert (np.diff(rows, axis=1) >= 0).all()


def _some(n_keys=6, n_counted=(6, 4, 1)):
    """Rows of which the first few weights count, and the sums of these."""
    rng = np.random.default_rng(3)
    weights = rng.dirichlet(np.full(n_keys, 0.5), size=(2, len(n_counted)))
    for row, count in enumerate(n_counted):
        weights[:, row, count:] = 0
    tensor = torch.tensor(weights)
    return tensor, torch.tensor(n_counted, dtype=tensor.dtype), tensor.sum(-1)


def test_differences_of_all_pairs_are_summed():
    """Weights that do not count make no pairs."""
    weights, n_counted, total = _some()
    came = ranking.pair_differences(weights, n_counted, total)

    for head, row in np.ndindex(came.shape):
        counted = weights[head, row, : int(n_counted[row])].tolist()
        wanted = sum(abs(a - b) for a, b in itertools.combinations(counted, 2))
        assert came[head, row] == pytest.approx(wanted, abs=1e-12)


def test_differences_from_one_weight_are_summed():
    """Each weight that counts against the one."""
    weights, n_counted, total = _some()
    one = weights[..., 0]
    came = ranking.differences_from(weights, n_counted, total, one)

    for head, row in np.ndindex(came.shape):
        counted = weights[head, row, : int(n_counted[row])]
        wanted = float((counted - one[head, row]).abs().sum())
        assert came[head, row] == pytest.approx(wanted, abs=1e-12)

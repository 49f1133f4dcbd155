"""A stack without some keys: its rows, its statistics, and means of rows."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens
from tests.head_stats import slow
from tests.head_stats.cases import Case, GivenRows, regions
from tests.sinks.made import STACKS, allowed_without, renormalised, stack_of
from vl_core import head_stats
from vl_core.errors import TraceError
from vl_core.head_stats import STATISTICS
from vl_core.head_stats.specials import without_specials
from vl_core.sinks import exclusion
from vl_core.sinks.exclusion import mean_row, without
from vl_core.trace import KeptQueriesKeys, Mask


def some_keys(stack, seed=0):
    """A third of the keys, others in each layer."""
    rng = np.random.default_rng(seed)
    return rng.random((stack.n_layers, len(stack.keys))) < 1 / 3


@pytest.mark.parametrize("name", STACKS)
def test_rows_are_divided_by_what_is_left(name):
    """For every way of keeping attention, with other keys left out of each layer."""
    stack = STACKS[name]
    keys = some_keys(stack) | stack.keys.is_padding

    came = without(stack, keys)

    assert came.weights.shape == stack.weights.shape
    for layer in range(stack.n_layers):
        wanted = renormalised(stack, layer, keys[layer])
        np.testing.assert_allclose(came.weights[layer], wanted, rtol=1e-5, atol=1e-7)
        assert (came.allowed(layer) == allowed_without(stack, layer, keys[layer])).all()


def test_tokens_stay_and_what_was_measured_goes():
    """Queries are still the keys, in the same places; numbers of the whole stack are dropped."""
    stack = replace(random_stack(), head_stats={"entropy": np.ones((3, 5))})
    keys = np.arange(12) == 4

    came = without(stack, keys)

    assert came.queries is came.keys is stack.queries
    assert came.head_stats == {}
    assert (came.name, came.layers, came.regions) == (stack.name, stack.layers, stack.regions)
    assert without(stack, keys, "less").name == "less"
    assert stack.head_stats
    assert (stack.weights[0, 0][:, 4] > 0).all()


def test_nothing_left_out_changes_nothing():
    """Its blocks are the stack's own."""
    stack = random_stack(windows=2)

    assert without(stack, np.zeros(12, bool)).blocks == stack.blocks


def test_leaving_out_twice_is_leaving_out_both():
    """In either order."""
    for name in ("causal", "windows of weights", "cross"):
        stack = STACKS[name]
        one, other = some_keys(stack, 1), some_keys(stack, 2)
        both = without(stack, one | other)
        for first, second in ((one, other), (other, one)):
            twice = without(without(stack, first), second)
            for layer in range(stack.n_layers):
                np.testing.assert_allclose(twice.weights[layer], both.weights[layer], atol=1e-6)


def test_queries_and_keys_are_shared_and_no_table_is_formed():
    """It takes no room of queries x keys, and layers that drop the same keys share one mask."""
    stack = STACKS["causal"]

    came = without(stack, np.arange(12) == 0)

    for (block,), (whole,) in zip(came.blocks, stack.blocks, strict=True):
        assert isinstance(block.kept, KeptQueriesKeys)
        assert block.kept.queries is whole.kept.queries
        assert block.kept.keys is whole.kept.keys
        assert block.kept.mask.kind == "causal"
    assert len({id(block.kept.mask) for (block,) in came.blocks}) == 1


def test_a_row_with_nothing_left_is_missing():
    """The first token of a causal stream without itself, and a head that looked at nothing else."""
    tokens = random_tokens()
    weights = np.broadcast_to(np.tri(12) / np.arange(1, 13)[:, None], (2, 3, 12, 12)).copy()
    weights[1, 2, 9] = np.eye(12)[0]
    stack = stack_of(weights, tokens, mask=Mask("causal"))

    came = without(stack, np.arange(12) == 0)

    assert (came.weights[1, :, 0] == 0).all()
    assert (came.weights[1, 2, 9] == 0).all()
    np.testing.assert_allclose(came.weights[1, 1, 9].sum(), 1, rtol=1e-6)
    assert np.isnan(mean_row(came, 1, 0, [0])).all()
    np.testing.assert_allclose(mean_row(came, 1, None, [9])[1:10], 1 / 9, rtol=1e-3)
    np.testing.assert_allclose(mean_row(came, None, None, [0, 3]).sum(), 1, rtol=1e-6)
    assert (without_specials(came).weights[1, 2, 7] == 0).all()


CASES = {
    "plain": random_stack(1, queries=random_tokens(5, 2, 3), regions=regions()),
    "causal": random_stack(
        2, queries=random_tokens(6, 2, 4), mask="causal", kept="queries_keys", regions=regions()
    ),
    "windows": random_stack(3, queries=random_tokens(5, 3, 4), windows=3, regions=regions()),
    "padded": random_stack(4, queries=random_tokens(5, 2, 3, padding=2), regions=regions()),
    "cross": random_stack(
        5,
        queries=random_tokens(5, 0, 0, padding=2),
        keys=random_tokens(0, 2, 4),
        regions=regions(),
    ),
}


def case_of(stack, dropped):
    """The stack less these keys as the slow statistics read it, in float64."""
    n_queries, n_keys = len(stack.queries), len(stack.keys)
    layers = [
        [
            GivenRows(
                np.arange(n_queries),
                np.arange(n_keys),
                renormalised(stack, layer, dropped),
                allowed_without(stack, layer, dropped),
            )
        ]
        for layer in range(stack.n_layers)
    ]
    return Case(stack.queries, stack.keys, stack.regions, layers)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("with_specials", [True, False], ids=["with", "without"])
def test_every_statistic_works_on_it_unchanged(name, with_specials, monkeypatch):
    """Each is what the loop over its definition makes of the rows that are left."""
    stack = CASES[name]
    dropped = some_keys(stack, 3)[0] & ~stack.keys.is_padding
    assert dropped.any()
    monkeypatch.setattr("tests.head_stats.cases.HEADS", stack.n_heads)
    wanted = slow.head_maps(case_of(stack, dropped), with_specials=with_specials)

    came = without(stack, dropped)

    for statistic in STATISTICS:
        np.testing.assert_allclose(
            statistic.of(came, with_specials),
            wanted[statistic.key],
            rtol=2e-5,
            atol=2e-5,
            equal_nan=True,
            err_msg=statistic.key,
        )


def test_a_statistic_of_ones_own_works_on_it():
    """It is given weights that sum to one over the keys that are left."""
    stack = random_stack()
    head_stats.register(
        lambda weights, _: weights[3, -1],
        key="to_last",
        name="To last",
        unit="share",
        definition="The weight of query 3 on the last key.",
    )
    try:
        came = head_stats.by_key("to_last").of(without(stack, np.arange(12) == 0))
    finally:
        head_stats.unregister("to_last")

    wanted = [
        [renormalised(stack, layer, np.arange(12) == 0)[head, 3, -1] for head in range(5)]
        for layer in range(3)
    ]
    np.testing.assert_allclose(came, wanted, rtol=1e-5)


@pytest.mark.parametrize("shape", [(11,), (2, 12), (12, 3), (1, 12)])
def test_a_mask_of_another_size_is_refused(shape):
    """Each layer, or all of them, and each key."""
    with pytest.raises(TraceError, match="wanted 12 keys, or 3 layers x 12 keys"):
        without(random_stack(), np.zeros(shape, bool))


@pytest.mark.parametrize("name", ["weights", "causal", "windows", "grouped", "cross"])
@pytest.mark.parametrize("layer", [None, 1])
@pytest.mark.parametrize("head", [None, 2])
@pytest.mark.parametrize("together", [1, 4])
def test_a_mean_row_is_the_mean_of_the_rows(name, layer, head, together, monkeypatch):
    """Over layers, heads and queries, however few are formed together, and never more."""
    stack, queries = STACKS[name], [5, 1, 2]
    monkeypatch.setattr(exclusion, "HEADS_BUDGET", 4 * len(stack.keys) * together)
    monkeypatch.setattr("vl_core.trace.weights.WHOLE_BUDGET", 4 * len(stack.keys) * together)
    keys = some_keys(stack)
    layers = range(stack.n_layers) if layer is None else [layer]
    heads = range(stack.n_heads) if head is None else [head]
    rows = [(one, stack.weights[one, h, q]) for one in layers for h in heads for q in queries]
    rows = [(one, row.astype(float)) for one, row in rows if row.any()]

    np.testing.assert_allclose(
        mean_row(stack, layer, head, queries), np.mean([row for _, row in rows], axis=0), rtol=1e-5
    )
    np.testing.assert_allclose(
        mean_row(stack, layer, head, queries, keys),
        np.mean([row * keys[one] for one, row in rows], axis=0),
        rtol=1e-5,
    )

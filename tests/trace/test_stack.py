"""Stacks: one way to index the weights, however they were kept, and invariants that speak."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import random_block, random_stack, random_tokens
from vl_core.errors import BudgetError, TraceError
from vl_core.trace import Block, KeptNothing, KeptWeights, Mask, stack, weights

VISION = random_tokens(n_text=0, rows=3, columns=4)
KINDS = {
    "weights": {},
    "queries and keys": {"kept": "queries_keys"},
    "grouped keys, causal": {
        "kept": "queries_keys",
        "heads": 6,
        "key_heads": 2,
        "mask": "causal",
    },
    "windows": {"windows": 3},
    "windows of queries and keys": {"windows": 3, "kept": "queries_keys"},
    "padding": {"queries": random_tokens(padding=2), "mask": "sliding"},
    "cross-attention": {"keys": VISION, "kept": "queries_keys"},
}


def plain_weights(made):
    """All weights, placed one by one: layer x head x query x key."""
    whole = np.zeros((made.n_layers, made.n_heads, len(made.queries), len(made.keys)))
    for layer, blocks in enumerate(made.blocks):
        for block in blocks:
            values = block.kept.rows(slice(None), slice(None))
            for i, query in enumerate(block.query_positions):
                for j, key in enumerate(block.key_positions):
                    whole[layer, :, query, key] = values[:, i, j]
    return whole


def with_block(made, **changes):
    """The stack with a change in the only block of its second layer."""
    block = replace(made.blocks[1][0], **changes)
    return replace(made, blocks=(made.blocks[0], (block,), *made.blocks[2:]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "index",
    [
        (1,),
        (-1,),
        (2, 3),
        (0, -1, 5),
        (1, 2, -1),
        (1, np.int64(2), np.int64(4)),
        (2, slice(1, 3)),
        (2, slice(None), 7),
        (0, 1, slice(2, 9)),
        (0, slice(None, None, 2), slice(8, 1, -3)),
        (0, 1, slice(4, 4)),
    ],
)
def test_an_index_gives_what_the_whole_array_holds_there(kind, index):
    """Numbers, negative numbers and slices of heads and rows, for every way of keeping weights."""
    made = random_stack(**KINDS[kind])

    found = made.weights[index]

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plain_weights(made)[index], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_array_is_a_distribution_over_the_allowed_keys(kind):
    """Shape, order of axes, sums of rows, and nothing on keys that are not allowed."""
    made = random_stack(**KINDS[kind])

    whole = np.asarray(made.weights)

    assert whole.shape == made.weights.shape
    np.testing.assert_allclose(whole, plain_weights(made), atol=1e-6)
    np.testing.assert_allclose(whole.sum(axis=-1), 1, rtol=1e-5)
    for layer in range(made.n_layers):
        assert (whole[layer][:, ~made.allowed(layer)] == 0).all()
        assert (whole[layer][:, made.allowed(layer)] > 0).any(axis=0).all()


def test_one_layer_is_a_plain_integer_index():
    """weights[layer] is head x query x key, and a loop over weights goes through the layers."""
    made = random_stack()

    assert made.weights[1].shape == (5, 12, 12)
    assert len(list(made.weights)) == 3


@pytest.mark.parametrize("index", [(slice(None), 0), (0, 1, 2, 3)])
def test_other_indices_are_refused_with_the_right_form(index):
    """Several layers at once, or a fourth index, which nothing would answer."""
    with pytest.raises(TraceError, match=r"weights\[layer, heads, rows\]"):
        random_stack().weights[index]


@pytest.mark.parametrize(
    ("index", "size"), [((3,), 3), ((0, 5), 5), ((0, -6), 5), ((0, 0, 12), 12)]
)
def test_what_is_out_of_range_says_the_range(index, size):
    """How many layers, heads or queries there are."""
    with pytest.raises(IndexError, match=f"out of range: there are {size}, counted from 0"):
        random_stack().weights[index]


def test_the_whole_array_is_refused_beyond_the_budget(monkeypatch):
    """3 x 5 x 12 x 12 weights of four bytes are 8640 bytes: allowed exactly, refused below."""
    made = random_stack()
    monkeypatch.setattr(weights, "WHOLE_BUDGET", 8640)
    assert np.asarray(made.weights).nbytes == 8640

    monkeypatch.setattr(weights, "WHOLE_BUDGET", 8639)
    with pytest.raises(BudgetError, match="Index fewer heads or rows at a time"):
        np.asarray(made.weights)
    assert made.weights[0].shape == (5, 12, 12)


def test_heads_beyond_the_budget_are_refused(monkeypatch):
    """5 x 12 x 12 weights of a layer are 2880 bytes; fewer heads or rows still come."""
    made = random_stack()
    monkeypatch.setattr(weights, "WHOLE_BUDGET", 2879)
    with pytest.raises(BudgetError, match="5 heads of stack encoder take"):
        made.weights[0]
    assert made.weights[0, :4].shape == (4, 12, 12)
    assert made.weights[0, :, 2:5].shape == (5, 3, 12)


@pytest.mark.parametrize(("budget", "together"), [(1, 1), (2 * 4 * 12 * 12, 2), (2**20, 5)])
def test_heads_are_gone_through_few_at_a_time(budget, together, monkeypatch):
    """One head, two heads or all together as the budget allows: the same weights and mean."""
    made = random_stack()
    wanted = plain_weights(made)[1]
    monkeypatch.setattr(weights, "HEADS_BUDGET", budget)
    parts = list(made.weights.of_heads(1))

    assert max(len(part) for part in parts) == together
    np.testing.assert_array_equal(np.concatenate(parts), wanted.astype(np.float32))
    np.testing.assert_allclose(made.weights.mean_over_heads(1), wanted.mean(axis=0), rtol=1e-6)


def test_numpy_may_ask_for_a_type():
    """np.asarray(weights, dtype) converts."""
    assert np.asarray(random_stack().weights, np.float64).dtype == np.float64


def test_allowed_follows_windows_and_padding():
    """Tokens look at each other inside their window alone, and at no padding."""
    tokens = random_tokens(padding=1)
    made = random_stack(queries=tokens, windows=2)
    places = np.arange(len(tokens))
    wanted = (places[:, None] % 2 == places % 2) & ~tokens.is_padding

    np.testing.assert_array_equal(made.allowed(1), wanted)


def test_layers_and_their_numbers_are_equally_many():
    """One number for each layer, and at least one layer."""
    made = random_stack()
    with pytest.raises(TraceError, match="2 layer numbers for 3 layers"):
        replace(made, layers=(0, 1))
    with pytest.raises(TraceError, match="0 layer numbers for 0 layers"):
        replace(made, layers=(), blocks=())


def test_layers_have_equally_many_heads():
    """The message names the layer by its own number."""
    made = random_stack()
    other = random_stack(heads=4)
    with pytest.raises(TraceError, match="layer 7: 4 heads where the first layer has 5"):
        replace(made, layers=(6, 7), blocks=(made.blocks[0], other.blocks[0]))


@pytest.mark.parametrize("position", [-1, 12])
@pytest.mark.parametrize("role", ["query", "key"])
def test_positions_lie_among_the_tokens(role, position):
    """Neither before the first nor beyond the last."""
    positions = np.arange(12)
    positions[4] = position
    with pytest.raises(
        TraceError, match=f"layer 1: a {role} at position {position}, but there are 12 tokens"
    ):
        with_block(random_stack(), **{f"{role}_positions": positions})


@pytest.mark.parametrize("role", ["query", "key"])
def test_positions_are_different(role):
    """No token has two places in one block."""
    positions = np.arange(12)
    positions[4] = 5
    with pytest.raises(TraceError, match=f"layer 1: a {role} comes twice in one block"):
        with_block(random_stack(), **{f"{role}_positions": positions})


def test_each_query_belongs_to_one_block():
    """Neither to none nor to two."""
    made = random_stack(windows=3)
    with pytest.raises(TraceError, match="query 1 is looked through 0 times, wanted once"):
        replace(made, layers=(0,), blocks=((made.blocks[0][0], made.blocks[0][2]),))
    with pytest.raises(TraceError, match="query 0 is looked through 2 times, wanted once"):
        replace(made, layers=(0,), blocks=((*made.blocks[0], made.blocks[0][0]),))


def changed_weight(value, where=(2, 7, 3)):
    """The weights of layer 1, with another value in one place."""
    values = random_stack().blocks[1][0].kept.values.copy()
    values[where] = value
    return KeptWeights(values)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (changed_weight(np.nan), "layer 1: weights that are not finite"),
        (changed_weight(np.inf), "layer 1: weights that are not finite"),
        (changed_weight(5), r"layer 1: a row of attention sums to 5\.\d+, wanted 1"),
        (changed_weight(0, (2, 7)), r"layer 1: a row of attention sums to 0\.0000, wanted 1"),
    ],
)
def test_kept_weights_are_distributions(kept, message):
    """Finite, and each row sums to one."""
    with pytest.raises(TraceError, match=message):
        with_block(random_stack(), kept=kept)


def test_weights_are_not_negative():
    """Even where the row sums to one."""
    values = np.zeros((5, 12, 12), np.float16)
    values[..., 0], values[..., 1] = 1.5, -0.5
    with pytest.raises(TraceError, match=r"layer 1: a weight of -0\.5000, wanted none below 0"):
        with_block(random_stack(), kept=KeptWeights(values))


def test_no_weight_lies_where_the_mask_forbids_it():
    """Weights of full attention under a causal mask contradict each other."""
    values = random_stack().blocks[1][0].kept.values.copy()
    with pytest.raises(TraceError, match="layer 1: attention on a key that the mask forbids"):
        with_block(random_stack(), kept=KeptWeights(values, Mask("causal")))


def test_a_query_that_may_look_at_nothing_is_exempt():
    """Some models spread its attention evenly, others leave it zero; it counts as zero."""
    allowed = np.ones((12, 12), bool)
    allowed[7] = False
    values = random_stack().blocks[1][0].kept.values.copy()
    for row in (0, 1 / 12):
        values = values.copy()
        values[:, 7] = row
        made = with_block(
            random_stack(), kept=KeptWeights(values, Mask("explicit", allowed=allowed))
        )
        assert (made.weights[1, :, 7] == 0).all()
        np.testing.assert_allclose(made.weights[1, 0, 6].sum(), 1, rtol=1e-5)


def test_long_rows_pass_though_float16_rounds_them():
    """4000 keys of equal weight sum to one but for rounding."""
    values = np.full((1, 1, 4000), 1 / 4000).astype(np.float16)
    keys = random_tokens(n_text=0, rows=50, columns=80, specials=False)
    query = random_tokens(n_text=1, rows=0, columns=0, specials=False)
    block = Block(np.arange(1), np.arange(4000), KeptWeights(values))

    made = stack.Stack("a", "a", "b", query, keys, (0,), ((block,),))

    np.testing.assert_allclose(made.weights[0, 0, 0], 1 / 4000, rtol=1e-5)


@pytest.mark.parametrize("name", ["queries", "keys"])
def test_queries_and_keys_are_finite(name):
    """Otherwise every weight of a row would be nan."""
    made = random_stack(kept="queries_keys")
    array = getattr(made.blocks[1][0].kept, name).copy()
    array[3, 4, 5] = np.inf
    with pytest.raises(TraceError, match=f"layer 1: {name} that are not finite"):
        with_block(made, kept=replace(made.blocks[1][0].kept, **{name: array}))


def test_stored_statistics_have_one_number_for_each_head():
    """Layers x heads, not heads x layers."""
    with pytest.raises(
        TraceError, match=r"statistic entropy has shape \(5, 3\), wanted 3 layers x 5 heads"
    ):
        replace(random_stack(), head_stats={"entropy": np.zeros((5, 3))})


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_stored_statistics_are_finite_or_missing(value):
    """Missing is nan; an infinite number would flatten the colors of all others."""
    values = np.full((3, 5), np.nan)
    values[1, 2] = value
    with pytest.raises(TraceError, match="statistic reach holds infinite values"):
        replace(random_stack(), head_stats={"reach": values})


def test_layer_numbers_come_once():
    """The message gives the numbers that came."""
    with pytest.raises(TraceError, match=r"layer numbers \(0, 1, 1\), wanted each once"):
        replace(random_stack(), layers=(0, 1, 1))


def test_stored_statistics_are_ours_alone():
    """Read-only, as is their list; the caller's own array stays as it was."""
    given = np.zeros((3, 5))
    made = replace(random_stack(), head_stats={"reach": given})
    given[0, 0] = 1

    assert made.head_stats["reach"][0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        made.head_stats["reach"][0, 0] = 1
    with pytest.raises(TypeError):
        made.head_stats["entropy"] = given


def test_stacks_can_be_compared_and_kept_in_sets():
    """By identity: arrays have no truth of their own."""
    one, other = random_stack(), random_stack()

    assert one != other
    assert len({one, other, one}) == 2
    for part in (one.queries, one.blocks[0][0], one.blocks[0][0].kept):
        assert part == part  # noqa: PLR0124 it raised for arrays
        assert hash(part)


def test_random_blocks_obey_their_mask():
    """The tests' own builder makes valid blocks."""
    block = random_block(np.random.default_rng(0), range(4), range(6), mask=Mask("causal"))

    assert (block.kept.values[:, ~Mask("causal").rows(slice(None), 4, 6)] == 0).all()


def test_some_layers_may_not_be_kept():
    """A layer counts as kept if all of its blocks are."""
    made = random_stack(windows=2, kept="queries_keys")
    first, (one, other), last = made.blocks
    nothing = replace(other, kept=KeptNothing(other.kept.shape, other.kept.mask))
    partly = replace(made, blocks=(first, (one, nothing), last))

    assert made.kept_layers == (0, 1, 2)
    assert made.is_kept
    assert partly.kept_layers == (0, 2)
    assert not partly.is_kept
    with pytest.raises(BudgetError, match="were not kept"):
        partly.weights[1, 0]


def test_a_stack_of_some_layers_has_theirs():
    """Numbers, weights and statistics of each stay together."""
    values = np.random.default_rng(0).normal(size=(3, 5))
    made = replace(random_stack(), layers=(1, 4, 9), head_stats={"reach": values})

    found = made.of_layers((0, 2))

    assert found.layers == (1, 9)
    assert found.queries is made.queries
    np.testing.assert_array_equal(found.head_stats["reach"], values[[0, 2]])
    np.testing.assert_array_equal(found.weights[1], made.weights[2])

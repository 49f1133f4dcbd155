"""One pass over blocks of rows: neither the blocks' size nor their number changes a value."""

import numpy as np
import pytest
import torch

from tests.head_stats import cases
from vl_core import head_stats
from vl_core.head_stats import known_rows, passes
from vl_core.head_stats.row_blocks import RowBlock
from vl_core.head_stats.rows import Rows
from vl_core.head_stats.tables import Tables
from vl_core.trace import TokenTable


@pytest.mark.parametrize(
    ("name", "budget", "rows"),
    [("plain", 1, 1), ("causal", 250, 4), ("windows", 100, 5), ("padding_looked_at", 400, 5)],
)
def test_small_blocks_give_the_same_values(monkeypatch, name, budget, rows):
    """One row of one head at a time, or a few, comes to the same."""
    whole = cases.measured(name)
    monkeypatch.setattr(passes, "BLOCK_BYTES", budget)
    monkeypatch.setattr(passes, "BLOCK_ROWS", rows)
    it = cases.named(name)
    pieces = head_stats.measure(it.layers, it.queries, it.keys, it.regions)

    for key, values in whole.items():
        np.testing.assert_allclose(pieces[key], values, rtol=0, atol=1e-12, equal_nan=True)


def test_blocks_keep_to_the_budget():
    """No source is asked for more than 4 MB of weights at once, and for each row once."""
    asked = []

    class Large:
        n_heads = 40
        query_positions = np.arange(700)
        key_positions = np.arange(700)

        def rows(self, heads, queries, keys):
            shape = tuple(part.stop - part.start for part in (heads, queries, keys))
            asked.append(shape)
            return torch.full(shape, 1 / 700)

        def allowed(self, queries):
            return torch.ones(queries.stop - queries.start, 700, dtype=torch.bool)

    tokens = cases.random_tokens(0, 26, 27, specials=False)
    tokens = type(tokens).of(tokens.texts[:700], tokens.kinds[:700], tokens.boxes[:700])
    head_stats.measure([[Large()]], tokens, tokens, statistics=(head_stats.ENTROPY,))

    assert max(4 * np.prod(shape) for shape in asked) <= 4 * 2**20
    assert sum(heads * rows for heads, rows, _ in asked) == 40 * 700


def test_precision_of_the_weights_is_kept():
    """float64 weights are not rounded to float32 on the way."""
    it = cases.named("plain")
    exact = it.weights[:, :, it.queries.is_text][..., it.keys.is_image].sum(-1).mean(-1)

    assert abs(cases.measured("plain")["text_to_image_mass"] - exact).max() < 1e-15


def test_float32_weights_come_close_to_float64():
    """On float32 weights each statistic is within 1e-5 of the same on float64."""
    it = cases.named("causal")
    layers = [
        [
            cases.GivenRows(s.query_positions, s.key_positions, s.weights.astype("f4"), s.may)
            for s in sources
        ]
        for sources in it.layers
    ]
    came = head_stats.measure(layers, it.queries, it.keys, it.regions)

    for key, values in cases.measured("causal").items():
        np.testing.assert_allclose(came[key], values, rtol=1e-5, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("name", ["plain", "causal", "sinks"])
def test_a_statistic_finds_the_weights_as_they_were(name):
    """Whatever was totalled before it, with special tokens or without."""
    it = cases.named(name)
    (source,) = it.layers[0]
    rows = Rows.of(
        Tables(it.queries, it.keys, it.regions),
        source.query_positions,
        source.key_positions,
        torch.from_numpy(source.may),
        torch.empty(0, dtype=torch.float64),
    )
    block = RowBlock.of(rows, torch.from_numpy(source.weights.copy()))
    for statistic in head_stats.STATISTICS:
        statistic.partial(block)
        statistic.partial(block.without_specials)
    kept = ~it.keys.is_special
    left = source.weights * kept
    left = left / np.maximum(left.sum(-1, keepdims=True), 1e-300)

    assert (block.weights.numpy() == source.weights).all()
    np.testing.assert_allclose(block.without_specials.weights, left, rtol=0, atol=1e-12)


def _long(dtype):
    """1,300 tokens: several runs to sort, special tokens throughout, a sink in one head."""
    tokens = cases.random_tokens(7, 36, 35)
    kinds = list(tokens.kinds)
    kinds[300] = kinds[900] = "special"
    tokens = TokenTable.of(tokens.texts, kinds, tokens.boxes, tokens.spans)
    it = cases.case(np.tri(len(tokens), dtype=bool), tokens, spread=0.3)
    layers = []
    for (source,) in it.layers:
        weights = source.weights.copy()
        weights[0, 1:, 0] += 50  # nearly all attention, so that next to nothing is left
        weights /= weights.sum(axis=-1, keepdims=True)
        positions = source.query_positions, source.key_positions
        layers.append([cases.GivenRows(*positions, weights.astype(dtype), source.may)])
    return cases.Case(tokens, tokens, it.regions, layers)


def test_long_sequences_are_exact_in_float32():
    """Every statistic of 1,269 tokens within 1e-5 of float64, measured in one block a head."""
    exact, came = (
        head_stats.measure(it.layers, it.queries, it.keys, it.regions)
        for it in (_long("f8"), _long("f4"))
    )

    for key, values in exact.items():
        np.testing.assert_allclose(
            came[key], values, rtol=1e-5, atol=1e-5, equal_nan=True, err_msg=key
        )


@pytest.mark.parametrize("size", [known_rows.KNOWN_BYTES, 0])
def test_each_layer_is_measured_with_its_own_mask(monkeypatch, size):
    """What is known of the rows of one layer is not taken for those of another."""
    monkeypatch.setattr(known_rows, "KNOWN_BYTES", size)
    tokens = cases.named("plain").queries
    masks = (np.tri(len(tokens), dtype=bool), cases.everything(tokens))
    each = [cases.case(mask, tokens, seed=seed) for seed, mask in enumerate(masks)]
    layers = [it.layers[0] for it in (*each, *each)]
    together = head_stats.measure(layers, tokens, tokens)

    for number, it in enumerate((*each, *each)):
        alone = head_stats.measure(it.layers[:1], tokens, tokens)
        for key, (values,) in alone.items():
            np.testing.assert_array_equal(together[key][number], values, err_msg=key)


def test_layers_are_taken_one_after_another():
    """A generator of layers is enough, so that a live model need not keep them all."""
    it = cases.named("plain")
    came = head_stats.measure((layer for layer in it.layers), it.queries, it.keys, it.regions)

    assert came.keys() == cases.measured("plain").keys()


def test_names_of_both_variants_are_given():
    """Each statistic comes with special tokens under its key and without under its second name."""
    keys = {statistic.key for statistic in head_stats.STATISTICS}

    assert cases.measured("plain").keys() == keys | {f"{key}/without_specials" for key in keys}


def test_evaluations_may_come_in_any_order():
    """Several evaluations of a layer add up, and rows stand in the order of layer numbers."""
    it = cases.named("windows")
    running = head_stats.Measuring(it.queries, it.keys, it.regions)
    for part in reversed(range(3)):
        for layer, number in ((1, 7), (0, 4)):
            running.add(number, it.layers[layer][part])
    came = running.finished()

    for key, values in cases.measured("windows").items():
        np.testing.assert_allclose(came[key], values, rtol=0, atol=1e-12, equal_nan=True)


def test_queries_that_no_evaluation_covers_take_no_part():
    """What is left is the mean over the queries that were heard."""
    it = cases.named("plain")
    (source,) = it.layers[0]
    heard = np.array([1, 4, 6, 9])
    part = cases.GivenRows(heard, source.key_positions, source.weights[:, heard], source.may[heard])
    running = head_stats.Measuring(it.queries, it.keys, it.regions)
    running.add(0, part)
    words = heard[it.queries.is_text[heard]]
    wanted = source.weights[:, words][..., it.keys.is_image].sum(-1).mean(-1)

    assert 0 < len(words) < len(heard)
    np.testing.assert_allclose(running.finished()["text_to_image_mass"], [wanted], atol=1e-12)

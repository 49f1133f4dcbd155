"""One pass over blocks of rows: neither the blocks' size nor their number changes a value."""

import numpy as np
import pytest
import torch

from tests.head_stats import cases
from vl_core import head_stats
from vl_core.head_stats import passes


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

        def rows(self, heads, queries):
            shape = heads.stop - heads.start, queries.stop - queries.start, 700
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


def test_weights_of_the_source_are_left_alone():
    """A live source may hand out the model's own tensor: nothing is written into it."""
    it = cases.padding_looked_at()
    before = it.weights.copy()
    head_stats.measure(it.layers, it.queries, it.keys, it.regions)

    assert (it.weights == before).all()


def test_layers_are_taken_one_after_another():
    """A generator of layers is enough, so that a live model need not keep them all."""
    it = cases.named("plain")
    came = head_stats.measure((layer for layer in it.layers), it.queries, it.keys, it.regions)

    assert came.keys() == cases.measured("plain").keys()


def test_names_of_both_variants_are_given():
    """Each statistic comes with special tokens under its key and without under its second name."""
    keys = {statistic.key for statistic in head_stats.STATISTICS}

    assert cases.measured("plain").keys() == keys | {f"{key}/without_specials" for key in keys}

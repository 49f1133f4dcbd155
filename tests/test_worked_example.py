"""The trace on which the app opens is what the shipped model does today."""

import numpy as np
import pytest

import vl_core
from vl_core.datasets.gallery import GALLERY, WORKED_EXAMPLE


@pytest.fixture(scope="module")
def shipped():
    """The trace in the repository."""
    return vl_core.Trace.load(WORKED_EXAMPLE)


@pytest.fixture(scope="module")
def fresh():
    """The same example, run now."""
    return vl_core.load("embedded").trace(GALLERY[0].example())


def test_the_shipped_trace_comes_from_the_shipped_weights(shipped, fresh):
    """Model, weights, preprocessing and the example itself are the same."""
    assert shipped.provenance.weights_hash == fresh.provenance.weights_hash
    assert shipped.provenance.preprocessing == fresh.provenance.preprocessing
    assert shipped.example.text == fresh.example.text
    assert shipped.example.regions == fresh.example.regions
    assert shipped.example.original_size == fresh.example.original_size
    for name in ("image", "picture"):
        pixels = [np.asarray(getattr(trace.example, name)) for trace in (shipped, fresh)]
        np.testing.assert_array_equal(*pixels)


def test_the_model_answers_the_worked_example_rightly(shipped, fresh):
    """A first impression with a wrong answer would be a poor one."""
    assert shipped.prediction.top[0][0] == shipped.example.answer
    assert [text for text, _ in shipped.prediction.top] == [
        text for text, _ in fresh.prediction.top
    ]
    for (_, stored), (_, new) in zip(shipped.prediction.top, fresh.prediction.top, strict=True):
        assert stored == pytest.approx(new, abs=1e-4)


def test_tokens_attention_and_hidden_states_are_those_of_a_fresh_run(shipped, fresh):
    """Within what float16 and another processor's rounding can change."""
    for name, stack in fresh.stacks.items():
        stored = shipped.stacks[name]
        assert stored.queries.texts == stack.queries.texts
        np.testing.assert_allclose(stored.queries.boxes, stack.queries.boxes)
        np.testing.assert_allclose(np.asarray(stored.weights), np.asarray(stack.weights), atol=2e-3)
    for name, stream in fresh.streams.items():
        stored, new = shipped.streams[name].hidden_states, stream.hidden_states
        np.testing.assert_allclose(stored, new, atol=2e-3 * np.abs(new).max())


def test_all_statistics_ship_with_the_trace(shipped, fresh):
    """The heads page needs no torch to show them."""
    for name, stack in fresh.stacks.items():
        assert set(shipped.stacks[name].head_stats) == set(stack.head_stats)
        for key, values in stack.head_stats.items():
            np.testing.assert_allclose(
                shipped.stacks[name].head_stats[key], values, rtol=1e-3, atol=1e-4, err_msg=key
            )

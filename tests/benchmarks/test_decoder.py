"""The ways that the decoder is measured, on a small one."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from benchmarks import decoder
from benchmarks.subjects import STREAM, Subject, prompt
from vl_core import head_stats

LAYERS, HEADS, TOKENS, WIDTH = 3, 4, 80, 24


@pytest.fixture(scope="module")
def subject():
    """Three layers of four heads on two key heads."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=TOKENS,
        hidden_size=WIDTH,
        intermediate_size=30,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=2,
        use_cache=False,
    )
    tokens, regions = prompt(TOKENS)
    inputs = {"input_ids": torch.arange(TOKENS)[None]}
    return Subject(LlamaModel(config).eval(), inputs, tokens, regions, "layers", "self_attn")


@pytest.fixture(scope="module")
def results(subject):
    """What each way gives."""
    with torch.inference_mode():
        return {name: way(subject)() for name, way in decoder.WAYS.items()}


@pytest.mark.parametrize("n_tokens", [TOKENS, 1024, 2048, 4096])
def test_a_prompt_has_the_length_that_was_asked_for(n_tokens):
    """Three quarters of it are patches at most, and its regions are named by words."""
    tokens, regions = prompt(n_tokens)

    assert len(tokens) == n_tokens
    assert 0.6 * n_tokens < tokens.is_image.sum() <= 0.75 * n_tokens
    for region in regions:
        assert list(region.span) in tokens.spans[tokens.is_text].tolist()


def test_idle_capture_gives_the_plain_output(results):
    """All ways run the same weights."""
    plain = results["plain"].last_hidden_state

    for name in ("idle", "eager"):
        torch.testing.assert_close(results[name].last_hidden_state, plain, atol=1e-5, rtol=0)


def test_every_way_does_its_work(results, subject):
    """Statistics are those of the eager weights, and what is kept is kept for every layer."""
    stacks, stream = results["everything"]
    attentions = results["eager"].attentions
    mass = np.stack(
        [
            weights[0][:, subject.tokens.is_text][..., subject.tokens.is_image].sum(-1).mean(-1)
            for weights in attentions
        ]
    )
    key = head_stats.TEXT_TO_IMAGE_MASS.key

    assert len(results["kept"]) == LAYERS
    assert results["masses"].keys() < results["unsorted"].keys() < results["statistics"].keys()
    assert stacks[STREAM].head_stats.keys() == results["statistics"].keys()
    assert stream.hidden_states.shape == (LAYERS + 1, TOKENS, WIDTH)
    for found in (results["masses"], results["statistics"], stacks[STREAM].head_stats):
        assert isinstance(found, Mapping)
        np.testing.assert_allclose(found[key], mass, atol=1e-5)


def test_twins_share_their_weights(subject):
    """A second model takes no memory of its own, and attaching it leaves the first alone."""
    twin = subject.captured()

    assert next(twin.parameters()).data_ptr() == next(subject.model.parameters()).data_ptr()
    assert twin.config._attn_implementation != subject.model.config._attn_implementation

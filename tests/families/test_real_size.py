"""What holds for tiny models holds for one of real size: ViLT-base, and 24 layers of 16 heads."""

import numpy as np
import pytest
import torch
from transformers import (
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaForConditionalGeneration,
    ViltConfig,
    ViltForQuestionAnswering,
    ViltImageProcessorPil,
)

import vl_core
from tests.builders import random_picture
from tests.families import tiny
from vl_core import families, head_stats
from vl_core.capture.tap import tapped
from vl_core.errors import BudgetError
from vl_core.example import Example
from vl_core.model import on_device

QUESTION = "what color is the star?"


def save_vilt(folder):
    """ViLT-base as published: 12 layers of 12 heads of 64, 3,129 answers."""
    tokenizer = tiny.bert()
    config = ViltConfig(num_labels=3129, vocab_size=len(tokenizer))
    tiny.sharpened(ViltForQuestionAnswering(config)).save_pretrained(folder)
    ViltImageProcessorPil().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_decoder(folder):
    """24 layers of 16 heads that share 2 key heads, behind a tower of 576 patches."""
    tokenizer = tiny.llama(image_token="<image>")
    language = tiny.language(
        tokenizer,
        model_type="llama",
        hidden_size=512,
        intermediate_size=640,
        num_hidden_layers=24,
        num_attention_heads=16,
        max_position_embeddings=2048,
    )
    config = LlavaConfig(
        vision_config=tiny.tower(model_type="clip_vision_model", image_size=336),
        text_config=language,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    tiny.sharpened(LlavaForConditionalGeneration(config)).save_pretrained(folder)
    size = {"height": 336, "width": 336}
    CLIPImageProcessorPil(size={"shortest_edge": 336}, crop_size=size).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=[save_vilt, save_decoder], ids=["ViLT-base", "decoder"])
def folder(request, tmp_path_factory):
    """A checkpoint of that size."""
    return request.param(tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module")
def example():
    """As large as a photograph in a question answering set."""
    return Example(random_picture((640, 427)), QUESTION)


@pytest.fixture(scope="module")
def trace(folder, example):
    """What one run leaves."""
    return vl_core.load(str(folder)).trace(example)


def test_it_is_as_faithful_as_a_small_one(trace):
    """At load and on the run."""
    assert trace.provenance.fidelity["weights_vs_eager"] <= 1e-5
    assert trace.provenance.fidelity["row_reconstruction"] <= 2e-3


def test_stored_rows_are_those_of_the_models_own_attention(folder, trace, example):
    """Some rows of all heads of every layer, as the tap sees them while they pass."""
    plain = families.load(folder)
    inputs = on_device(plain, plain.inputs(example))
    differences = []

    def compare(name, matrix):
        (place,) = plain.places(name)
        stack = trace.stacks[place.stack]
        for row in range(3, matrix.shape[1], 97):
            kept = stack.weights[stack.layers.index(place.layer), :, row]
            differences.append(np.abs(kept[:, : matrix.shape[2]] - matrix[:, row].numpy()).max())

    with torch.inference_mode(), tapped(plain.model, compare):
        plain.model(**inputs)

    assert max(differences) <= 2e-3
    assert len(differences) >= 3 * sum(stack.n_layers for stack in trace.stacks.values())


def test_all_statistics_are_there(trace):
    """A number for every head where a statistic has a meaning."""
    for stack in trace.stacks.values():
        assert np.isfinite(head_stats.ENTROPY.of(stack)).all()
        assert np.isfinite(head_stats.REACH.of(stack)).all()
    main = next(iter(trace.stacks.values()))
    assert np.isfinite(head_stats.TEXT_TO_IMAGE_MASS.of(main)).all()


def test_what_fits_is_formed_and_nothing_else(trace):
    """ViLT's 36 MB in one piece; of the decoder's 640 MB only heads and rows."""
    weights = next(iter(trace.stacks.values())).weights
    if np.prod(weights.shape) * 4 < 2**28:
        assert np.asarray(weights).shape == weights.shape
    else:
        with pytest.raises(BudgetError, match="fewer heads or rows"):
            np.asarray(weights)
        assert trace.n_bytes < 60e6

"""Attribution of a published architecture: ViLT, whose parts are called and joined otherwise."""

import numpy as np
import pytest
import torch
from transformers import (
    BlipForQuestionAnswering,
    ViltForImageAndTextRetrieval,
    ViltForMaskedLM,
    ViltForQuestionAnswering,
)

import vl_core
from tests.builders import random_picture
from tests.families import test_blip, test_vilt
from vl_core import families
from vl_core.attribution.ablation import head_effects, head_means, roles
from vl_core.attribution.relevancy import relevancy
from vl_core.errors import ModelError
from vl_core.example import Example

LAYERS, HEADS, DIM = 3, 5, 8
EXAMPLES = tuple(
    Example(random_picture(size, seed=i), text)
    for i, (size, text) in enumerate(
        [((330, 190), "what color is the zebra?"), ((96, 120), "is this a star"), ((99, 96), "red")]
    )
)


@pytest.fixture(scope="module", params=[ViltForQuestionAnswering, ViltForImageAndTextRetrieval])
def folder(request, tmp_path_factory):
    """A tiny random checkpoint whose answer is read off its class token."""
    return test_vilt.save(tmp_path_factory.mktemp("vilt"), request.param)


@pytest.fixture(scope="module")
def model(folder):
    """The checkpoint, attached."""
    return vl_core.load(str(folder))


@pytest.mark.parametrize("number", [0, 1])
def test_relevancy_is_what_autograd_says_of_eager_attention(folder, model, number):
    """R += mean over heads of max(A * dA, 0) @ R, for the winner against the runner-up."""
    plain = families.load(folder)
    outputs = plain.model(**plain.inputs(EXAMPLES[number]), output_attentions=True)
    logits = plain.answer_logits(outputs)[0]
    winner, second = logits.topk(2).values
    gradients = torch.autograd.grad(winner - second, outputs.attentions)
    held = np.eye(len(gradients[0][0, 0]))
    for weights, gradient in zip(outputs.attentions, gradients, strict=True):
        product = (weights * gradient)[0].detach().double().numpy()
        held = held + np.maximum(product, 0).mean(axis=0) @ held

    found = relevancy(model, EXAMPLES[number])

    np.testing.assert_allclose(found.row, held[0], atol=1e-5 * held[0, 1:].max(), rtol=1e-3)
    top = model.trace(EXAMPLES[number]).prediction.top
    assert (found.answer, found.runner_up) == (top[0][0], top[1][0])
    assert found.row[1:].std() > 0


def test_without_a_head_the_answer_is_what_a_hook_makes_of_it(folder, model):
    """Each head exchanged for its mean by role, before the output projection."""
    means = head_means(model, EXAMPLES)
    plain = families.load(folder)
    inputs = plain.inputs(EXAMPLES[0])
    role = roles(plain.streams(EXAMPLES[0], inputs)["encoder"])

    def answers(exchanged):
        def change(arguments, layer):
            heads = arguments[0].unflatten(-1, (HEADS, DIM)).clone()
            if exchanged is not None and exchanged[0] == layer:
                heads[0, :, exchanged[1]] = torch.tensor(means.values[layer, exchanged[1]][role])
            return (heads.flatten(-2),)

        hooks = [
            one.attention.output.dense.register_forward_pre_hook(
                lambda _module, arguments, layer=layer: change(arguments, layer)
            )
            for layer, one in enumerate(plain.model.vilt.encoder.layer)
        ]
        with torch.inference_mode():
            logits = plain.answer_logits(plain.model(**inputs))[0]
        for hook in hooks:
            hook.remove()
        return logits.double().log_softmax(dim=-1).numpy()

    intact = answers(None)
    top = intact.argmax()
    wanted = np.array([[answers((i, j)) for j in range(HEADS)] for i in range(LAYERS)])
    found = head_effects(model, EXAMPLES[0], means)

    assert means.values.shape == (LAYERS, HEADS, 4, DIM)
    assert means.counts[0] == len(EXAMPLES)
    np.testing.assert_allclose(found.change, wanted[..., top] - intact[top], atol=1e-4)
    np.testing.assert_array_equal(found.flips, wanted.argmax(axis=-1) != top)
    assert found.answer == model.trace(EXAMPLES[0]).prediction.top[0][0]
    assert np.abs(found.change).max() > 1e-2


def test_an_answer_that_is_read_off_a_mask_has_no_relevancy(tmp_path):
    """The class token's row would say nothing about it, and look as if it did."""
    masked = vl_core.load(str(test_vilt.save(tmp_path, ViltForMaskedLM)))

    with pytest.raises(ModelError, match="another token than its class token"):
        relevancy(masked, EXAMPLES[0])


def test_models_of_several_stacks_are_refused(tmp_path):
    """BLIP's text looks at a tower."""
    several = vl_core.load(str(test_blip.save(tmp_path, BlipForQuestionAnswering)))

    with pytest.raises(ModelError, match=r"a single stack of self-attention.*question<-vision"):
        relevancy(several, EXAMPLES[0])

"""Relevancy against plain loops over eager attention and its gradients."""

import numpy as np
import pytest
import torch

from tests.attribution.models import (
    Across,
    TwoStacks,
    WithoutSpecials,
    as_family,
    example,
    tiny_model,
)
from vl_core import families
from vl_core.attribution.relevancy import relevancy
from vl_core.attribution.self_attention import SelfAttention
from vl_core.capture import tapping
from vl_core.errors import ModelError
from vl_core.example import Example


@pytest.fixture(scope="module", params=["pre", "post"])
def folder(request, tmp_path_factory):
    """A tiny random checkpoint whose norms come first or last."""
    return tmp_path_factory.mktemp(request.param), request.param


@pytest.fixture(scope="module")
def model(folder):
    """The checkpoint, attached."""
    return tiny_model(folder[0], norm_order=folder[1])


def slow_row(path, one):
    """R += mean over heads of max(A * dA, 0) @ R, entry by entry; the first row, by answers."""
    family = families.load(path)
    family.model.set_attn_implementation("eager")
    outputs = family.model(**family.inputs(one), output_attentions=True)
    logits = outputs["answer_logits"][0]
    order = logits.argsort(descending=True).tolist()
    gradients = torch.autograd.grad(logits[order[0]] - logits[order[1]], outputs.attentions)
    n = outputs.attentions[0].shape[-1]
    held = np.eye(n)
    for weights, gradient in zip(outputs.attentions, gradients, strict=True):
        product = (weights * gradient)[0].detach().double().numpy()
        mixing = np.zeros((n, n))
        for head in product:
            for query in range(n):
                for key in range(n):
                    mixing[query, key] += max(head[query, key], 0) / len(product)
        held = held + mixing @ held
    return held[0], [family.model.config.id2label[index] for index in order]


@pytest.mark.parametrize("number", [0, 2])
def test_relevancy_is_what_its_rule_says(folder, model, number):
    """The class token's row, for the winning answer against the runner-up."""
    wanted, answers = slow_row(folder[0], example(number))

    found = relevancy(model, example(number))

    np.testing.assert_allclose(found.row, wanted, atol=1e-5 * wanted[1:].max(), rtol=1e-3)
    assert (found.answer, found.runner_up) == tuple(answers[:2])
    assert found.stream == "encoder"
    assert found.row[0] > 1
    assert (found.row >= 0).all()
    assert found.row[1:].std() > 0


def test_a_text_alone_has_a_row_too(model):
    """Without a picture: six tokens."""
    assert len(relevancy(model, Example(None, "what is this star")).row) == 6


def test_it_works_where_gradients_are_off_and_leaves_none_behind(model):
    """A page runs in whatever mode it likes; parameters are shared by all threads."""
    wanted = relevancy(model, example()).row

    for off in (torch.no_grad(), torch.inference_mode()):
        with off:
            np.testing.assert_array_equal(relevancy(model, example()).row, wanted)

    assert all(parameter.grad is None for parameter in model.family.model.parameters())


@pytest.mark.parametrize("kind", [TwoStacks, Across])
def test_models_of_several_stacks_are_refused(model, kind):
    """The rules of self-attention alone do not cover them."""
    with pytest.raises(ModelError, match="a single stack of self-attention"):
        relevancy(as_family(model, kind), example())


def test_attention_that_can_only_be_overheard_has_no_gradients(tmp_path):
    """One such layer among others is named, and none is passed over."""
    model = tiny_model(tmp_path)
    name = SelfAttention.of(model).modules[1]
    tapping.overhear(model.family.model, [name])

    with pytest.raises(ModelError, match=rf"^{name} of this model .* neither changed nor diff"):
        relevancy(model, example())


def test_models_without_a_class_token_are_refused(model):
    """Nobody would know which row to read."""
    with pytest.raises(ModelError, match="no class token"):
        relevancy(as_family(model, WithoutSpecials), example())

"""Changing what attention does, and reaching its weights with gradients, in one thread alone."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tests.capture import models
from tests.families.kdvlp.small import noise, small_model, small_processor
from vl_core import capture
from vl_core.capture import edits, interface
from vl_core.errors import ModelError

EVERYTHING = slice(None)


@pytest.fixture(params=models.CASES)
def case(request):
    """One tiny model of each kind, on eager attention."""
    torch.manual_seed(0)
    return models.CASES[request.param]()


@pytest.fixture
def small():
    """Five layers of four heads, attached, and what they are fed."""
    model = small_model()
    capture.attach(model)
    inputs = small_processor()(
        text="what color is the star?", images=noise(80, 48), return_tensors="pt"
    )
    return model, dict(inputs)


def attention_names(model):
    """Its attention modules, layer by layer."""
    return [name for name, _ in model.named_modules() if name.endswith("attention")]


def score(outputs):
    """One number that depends on all of the first output, each part with a weight of its own."""
    first = outputs[0]
    return (first * torch.linspace(-1, 1, first.numel()).view_as(first)).sum()


def test_differentiable_weights_and_gradients_are_those_of_eager_attention(case):
    """Masks, biases, softcaps and shared key heads included, in the same order of calls."""
    outputs = case.model(**case.inputs, output_attentions=True)
    eager = case.attentions(outputs)
    wanted = torch.autograd.grad(score(outputs), eager)
    capture.attach(case.model)

    with capture.differentiable(case.model) as kept:
        found = score(case.model(**case.inputs))
    gradients = torch.autograd.grad(found, [kept[name][0] for name in case.modules])

    assert sorted(kept) == sorted(case.modules)
    torch.testing.assert_close(found, score(outputs), atol=1e-4, rtol=1e-4)
    for name, weights, gradient, expected in zip(
        case.modules, eager, gradients, wanted, strict=True
    ):
        torch.testing.assert_close(kept[name][0], weights, atol=1e-5, rtol=0)
        assert expected.abs().max() > 0
        tolerance = 1e-4 * float(expected.abs().max())
        torch.testing.assert_close(gradient, expected, atol=tolerance, rtol=1e-4)


def test_gradients_can_be_read_after_backward(small):
    """As .grad of the weights themselves."""
    model, inputs = small
    name = attention_names(model)[2]
    with capture.differentiable(model) as kept:
        (expected,) = torch.autograd.grad(score(model(**inputs)), kept[name])

    with capture.differentiable(model) as kept:
        score(model(**inputs)).backward()

    torch.testing.assert_close(kept[name][0].grad, expected)


def test_frozen_models_are_differentiable_too(small):
    """The graph then begins at the weights."""
    model, inputs = small
    name = attention_names(model)[0]
    with capture.differentiable(model) as kept:
        (wanted,) = torch.autograd.grad(score(model(**inputs)), kept[name])
    model.requires_grad_(requires_grad=False)

    with capture.differentiable(model) as kept:
        (came,) = torch.autograd.grad(score(model(**inputs)), kept[name])

    torch.testing.assert_close(came, wanted)


def test_rows_without_a_key_are_empty_and_have_finite_gradients():
    """A boolean mask that hides everything from a query gives zeros, as with sdpa, never nan."""
    module = torch.nn.Module()
    query, key, value = torch.randn(3, 1, 2, 5, 8, requires_grad=True)
    allowed = torch.ones(1, 1, 5, 5, dtype=torch.bool).tril(-1)

    with capture.differentiable(module) as kept:
        output, _ = interface.attention(module, query, key, value, allowed)
    plain, _ = interface.attention(module, query, key, value, allowed)
    (gradient,) = torch.autograd.grad(output.square().sum(), query)

    assert not kept[""][0][:, :, 0].any()
    assert gradient.isfinite().all()
    torch.testing.assert_close(output, plain)


def test_edits_stand_before_the_output_projection(small):
    """One head of one layer doubled, as a hook on the projection's input would do it."""
    model, inputs = small
    name = attention_names(model)[3]

    def double(module, arguments):
        changed = arguments[0].clone()
        changed[..., 6:12] *= 2  # the second head, of size six
        return (changed,)

    def edit(edited, output):
        assert output.shape == (1, 48, 4, 6)
        if edited != name:
            return output
        return torch.cat([output[:, :, :1], 2 * output[:, :, 1:2], output[:, :, 2:]], dim=2)

    with torch.inference_mode():
        plain = model(**inputs)["answer_logits"]
        hook = model.get_submodule(name).output.register_forward_pre_hook(double)
        wanted = model(**inputs)["answer_logits"]
        hook.remove()
        with capture.editing(model, edit):
            came = model(**inputs)["answer_logits"]
        after = model(**inputs)["answer_logits"]

    assert torch.equal(came, wanted)
    assert not torch.equal(came, plain)
    assert torch.equal(after, plain)


def test_an_edit_that_changes_nothing_changes_nothing(case):
    """To the last bit, softcapped or not; every attention module is offered once."""
    capture.attach(case.model)
    offered = []

    def look(name, output):
        offered.append(name)
        return output

    with torch.inference_mode():
        plain = case.model(**case.inputs)[0]
        with capture.editing(case.model, look):
            looked_at = case.model(**case.inputs)[0]

    assert torch.equal(looked_at, plain)
    assert sorted(offered) == sorted(case.modules)


def test_a_recorder_hears_the_edited_output(small):
    """Otherwise weights times values would be compared with what the model did not go on with."""
    model, inputs = small
    name = attention_names(model)[1]
    with torch.inference_mode(), capture.recording(model) as plain:
        model(**inputs)
    with (
        torch.inference_mode(),
        capture.recording(model) as changed,
        capture.editing(model, lambda edited, output: output + 3 * (edited == name)),
    ):
        model(**inputs)

    before, after = (heard.evaluations[name][0].sample.output for heard in (plain, changed))
    torch.testing.assert_close(after, before + 3)


def test_several_edits_act_one_after_the_other(small):
    """The one that entered last comes last, and each leaves with its block."""
    model, inputs = small
    seen = []

    def first(_, output):
        return torch.zeros_like(output)

    def last(_, output):
        seen.append(float(output.abs().max()))
        return output + 1

    with torch.inference_mode(), capture.editing(model, first):
        with capture.editing(model, last):
            model(**inputs)
        model(**inputs)

    assert seen == [0.0] * 5
    assert edits.ACTIVE.get() == ()


def test_edits_end_with_their_block_whatever_happens(small):
    """A run that fails leaves nothing behind."""
    model, inputs = small

    def fail(_, output):
        raise ZeroDivisionError

    for context in (capture.editing(model, fail), capture.differentiable(model)):
        with pytest.raises(ZeroDivisionError), context, capture.editing(model, fail):
            model(**inputs)
        assert edits.ACTIVE.get() == ()


def test_another_model_is_not_edited_in_silence(small):
    """An edit that reaches nothing would look like one without effect."""
    model, inputs = small
    other = small_model()

    with pytest.raises(ModelError, match="KDVLPAttention that is no part of the model"):  # noqa: SIM117
        with capture.editing(other, lambda _, output: output):
            model(**inputs)


def test_a_module_that_is_never_reached_is_not_left_as_it_is_in_silence(small):
    """Where a name is no attention module's, or the model does not run."""
    model, inputs = small
    name = attention_names(model)[1]
    for modules, run in (([name, "answers"], lambda: model(**inputs)), ([name], lambda: None)):
        for block in (
            capture.editing(model, lambda _, output: output, modules),
            capture.differentiable(model, modules),
        ):
            with pytest.raises(ModelError, match=f"^{modules[-1]} computed no attention"), block:
                run()


def test_threads_edit_only_themselves(small):
    """Runs of one model object at once, some edited and some not, give what each gives alone."""
    model, inputs = small

    def run(factor):
        if factor is None:
            with torch.inference_mode():
                return [model(**inputs)["answer_logits"] for _ in range(5)]
        with torch.inference_mode(), capture.editing(model, lambda _, output: factor * output):
            return [model(**inputs)["answer_logits"] for _ in range(5)]

    factors = [None, 0.5, 2.0, None, -1.0, 0.0]
    alone = [run(factor)[0] for factor in factors]
    with ThreadPoolExecutor(len(factors)) as pool:
        together = list(pool.map(run, factors))

    for expected, found in zip(alone, together, strict=True):
        for one in found:
            torch.testing.assert_close(one, expected, atol=1e-6, rtol=1e-5)
    assert not torch.equal(alone[0], alone[1])

"""The checks notice capture that is not the truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.capture import models
from tests.capture.test_stacks import place, tokens_of
from vl_core import capture
from vl_core.capture import fidelity, interface, keeping
from vl_core.errors import ModelError
from vl_core.trace import Block, Mask


@pytest.mark.parametrize("name", models.CASES)
def test_every_kind_of_model_passes_at_load(name):
    """Both figures are rounding errors on unpadded input, and the model stays attached."""
    torch.manual_seed(0)
    case = models.CASES[name]()
    inputs = {key: value[:1] for key, value in case.inputs.items() if key != "attention_mask"}

    figures = capture.measured_at_load(case.model, inputs, case.modules)

    assert set(figures) == {"output_on_off", "weights_vs_eager"}
    assert max(figures.values()) < 1e-4
    with torch.inference_mode(), capture.recording(case.model) as recorder:
        case.model(**inputs)
    recorder.check_complete(case.modules)


def test_eager_weights_are_what_the_model_reports():
    """The weights taken off the modules are those of output_attentions; no hook stays behind."""
    torch.manual_seed(0)
    case = models.clip()
    with torch.inference_mode():
        reported = case.attentions(case.model(**case.inputs, output_attentions=True))
    hooks = [len(module._forward_hooks) for module in case.model.modules()]

    seen = fidelity.eager_weights(case.model, case.inputs, case.modules)

    for name, weights in zip(case.modules, reported, strict=True):
        assert torch.equal(torch.stack(seen[name]), weights)
    assert [len(module._forward_hooks) for module in case.model.modules()] == hooks


def test_a_wrong_scale_is_refused(monkeypatch):
    """If captured weights are not the model's, it is not loaded."""
    torch.manual_seed(0)
    case = models.bert()
    plain = interface.Call

    def wrong(*args):
        *rest, scaling, softcap = args
        return plain(*rest, scaling * 0.5, softcap)

    monkeypatch.setattr(interface, "Call", wrong)

    with pytest.raises(ModelError, match="weights_vs_eager"):
        capture.measured_at_load(case.model, case.inputs, case.modules)


def test_a_layer_that_is_not_heard_is_refused():
    """Expecting more than there is says how many were captured."""
    case = models.bert()

    with pytest.raises(ModelError, match="3 of 4"):
        capture.measured_at_load(case.model, case.inputs, [*case.modules, "pooler"])


@pytest.fixture
def run():
    """A recorded run of a causal model: evaluations and stacks."""
    torch.manual_seed(0)
    case = models.llama()
    capture.attach(case.model)
    with torch.inference_mode(), capture.recording(case.model) as recorder:
        case.model(input_ids=case.inputs["input_ids"][:1])
    return recorder.evaluations, capture.stacks(
        recorder.evaluations, place, {"encoder": tokens_of(case, 0)}
    )


def test_stored_rows_give_back_the_output(run):
    """Weights as stored, times live values, are the layer's own output to half precision."""
    assert 0 < capture.row_reconstruction(run[0], place, run[1]) < 2e-3


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda kept: replace(kept, mask=Mask()),
        lambda kept: replace(kept, mask=Mask("sliding", window=3)),
        lambda kept: replace(kept, scaling=kept.scaling * 1.2),
        lambda kept: replace(kept, keys=kept.keys[::-1].copy()),
        lambda kept: replace(kept, queries=kept.queries[:, ::-1].copy()),
    ],
    ids=["no mask", "window", "scale", "key heads", "queries"],
)
def test_what_is_stored_wrongly_shows(run, spoilt):
    """A wrong mask, scale, head or order makes the figure large, in one layer of three."""
    evaluations, stacks = run
    kept = keeping.queries_keys(evaluations["model.layers.1.self_attn"][0])
    block = stacks["encoder"].blocks[1][0]
    wrong = Block(block.query_positions, block.key_positions, spoilt(kept))
    blocks = (stacks["encoder"].blocks[0], (wrong,), stacks["encoder"].blocks[2])

    error = capture.row_reconstruction(
        evaluations, place, {"encoder": replace(stacks["encoder"], blocks=blocks)}
    )

    assert error > 0.02


def test_fully_masked_queries_are_left_out():
    """Eager attention of a query without a key is arbitrary; it does not count as an error."""
    torch.manual_seed(0)
    case = models.llama("left")
    capture.attach(case.model)
    with torch.inference_mode(), capture.recording(case.model) as recorder:
        case.model(**case.inputs)
    padded = {name: [both[1]] for name, both in recorder.evaluations.items()}
    stacks = capture.stacks(padded, place, {"encoder": tokens_of(case, 1)})

    assert np.isfinite(error := capture.row_reconstruction(padded, place, stacks))
    assert error < 2e-3


@pytest.mark.parametrize("error", ["twice the scores", "no scores", "heads in reverse"])
def test_wrong_weights_of_a_diffuse_model_are_refused(monkeypatch, error):
    """Where attention is almost even each weight is small, and so is its error; its row tells."""
    torch.manual_seed(0)
    case = models.bert()
    for name, parameter in case.model.named_parameters():
        if "query" in name or "key" in name:
            parameter.data *= 0.1
    plain = interface.Call

    def wrong(module, query, *rest):
        *rest, scaling, softcap = rest
        scaling *= {"twice the scores": 2, "no scores": 0}.get(error, 1)
        query = query.flip(1) if error == "heads in reverse" else query
        return plain(module, query, *rest, scaling, softcap)

    ids = {"input_ids": case.inputs["input_ids"]}
    assert capture.measured_at_load(case.model, ids, case.modules)["weights_vs_eager"] < 1e-6
    monkeypatch.setattr(interface, "Call", wrong)

    with pytest.raises(ModelError, match="weights_vs_eager"):
        capture.measured_at_load(case.model, ids, case.modules)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_models_in_half_precision_pass(dtype):
    """Their eager attention rounds its scores, which is no fault of capture."""
    torch.manual_seed(0)
    case = models.llama()
    case.model.to(dtype)
    ids = {"input_ids": case.inputs["input_ids"]}

    figures = capture.measured_at_load(case.model, ids, case.modules)

    assert 1e-3 < figures["weights_vs_eager"] < 0.1


def test_a_changed_output_is_refused_however_small_the_outputs(monkeypatch):
    """The limit goes by the model's own outputs, here of about a hundredth."""
    torch.manual_seed(0)
    case = models.llama()
    case.model.lm_head.weight.data *= 1e-4
    ids = {"input_ids": case.inputs["input_ids"]}
    sdpa = interface.sdpa_attention_forward

    def wrong(*arguments, **options):
        output, weights = sdpa(*arguments, **options)
        return output * 1.1, weights

    assert fidelity._outputs(case.model, ids)["logits"].abs().max() < 0.02
    monkeypatch.setattr(interface, "sdpa_attention_forward", wrong)

    with pytest.raises(ModelError, match="output_on_off"):
        capture.measured_at_load(case.model, ids, case.modules)


def test_a_nan_in_any_layer_is_refused(monkeypatch):
    """It is neither larger nor smaller than the others' figures, and must not hide behind them."""
    torch.manual_seed(0)
    case = models.bert()
    eager = fidelity.eager_weights

    def one_layer_nan(*arguments):
        seen = eager(*arguments)
        return seen | {case.modules[1]: [weights * torch.nan for weights in seen[case.modules[1]]]}

    monkeypatch.setattr(fidelity, "eager_weights", one_layer_nan)

    with pytest.raises(ModelError, match="nan"):
        capture.measured_at_load(case.model, {"input_ids": case.inputs["input_ids"]}, case.modules)

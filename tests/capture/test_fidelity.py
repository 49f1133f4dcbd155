"""The checks notice capture that is not the truth."""

import copy
from dataclasses import replace

import pytest
import torch

from tests.capture import models, zoo
from vl_core import capture
from vl_core.capture import adapters, fidelity, heads, interface
from vl_core.capture.recorder import Recorder
from vl_core.capture.tap import tapped
from vl_core.errors import ModelError


@pytest.mark.parametrize("name", models.CASES)
def test_every_kind_of_model_passes_at_load(name):
    """All figures are rounding errors on unpadded input, and the model stays attached."""
    torch.manual_seed(0)
    case = models.CASES[name]()
    inputs = {key: value[:1] for key, value in case.inputs.items() if key != "attention_mask"}

    figures = capture.measured_at_load(case.model, inputs, case.modules)

    assert set(figures) == {"output_on_off", "weights_vs_eager", "layer_on_off"}
    assert max(figures.values()) < 1e-4
    with torch.inference_mode(), capture.recording(case.model) as recorder:
        case.model(**inputs)
    recorder.check_complete(case.modules)


def test_a_wrong_scale_is_refused(monkeypatch):
    """If captured weights are not the model's, it is not loaded."""
    torch.manual_seed(0)
    case = models.bert()
    plain = interface.Call

    def wrong(*parts):
        call = plain(*parts)
        return replace(call, scaling=call.scaling * 0.5)

    monkeypatch.setattr(interface, "Call", wrong)

    with pytest.raises(ModelError, match="weights_vs_eager"):
        capture.measured_at_load(case.model, case.inputs, case.modules)


@pytest.mark.parametrize("build", [zoo.visual_bert, zoo.lxmert, zoo.blip_question, zoo.siglip])
def test_a_wrong_adapter_is_refused(monkeypatch, build):
    """Come for the first time or attached, it is compared with the module's own code."""
    torch.manual_seed(0)
    specimen = build()
    with tapped(specimen.model) as matrices:
        specimen.run()
    attend = heads.attention

    def wrong(module, query, *rest, **options):
        return attend(module, query * 1.5, *rest, **options)

    monkeypatch.setattr(heads, "attention", wrong)

    for _ in range(2):
        with pytest.raises(ModelError, match="weights_vs_eager"):
            capture.measured_at_load(specimen.model, specimen.inputs, list(matrices))
        capture.attach(specimen.model)


def test_adapters_are_not_compared_with_themselves(monkeypatch):
    """Of the three runs only the captured one goes through them, attached before or not."""
    torch.manual_seed(0)
    specimen = zoo.visual_bert()
    names = [f"encoder.layer.{layer}.attention.self" for layer in (0, 1)]
    capture.attach(specimen.model)
    attend, calls = heads.attention, []

    def counted(module, *rest, **options):
        calls.append(module)
        return attend(module, *rest, **options)

    monkeypatch.setattr(heads, "attention", counted)

    capture.measured_at_load(specimen.model, specimen.inputs, names)

    assert calls == [specimen.model.get_submodule(name) for name in names]


def test_infinite_outputs_are_no_difference(monkeypatch):
    """Some models hide answers by -inf; a finite number in its place is one."""
    case = models.bert()
    outputs = {"a": torch.tensor([-torch.inf, 1.0])}
    found = iter([outputs] * 3 + [outputs, {"a": torch.tensor([-5.0, 1.0])}, outputs])

    @torch.inference_mode()
    def given(model, inputs):
        model(**inputs)
        return next(found)

    monkeypatch.setattr(fidelity, "_outputs", given)

    assert capture.measured_at_load(case.model, case.inputs, case.modules)["output_on_off"] == 0
    with pytest.raises(ModelError, match="output_on_off is inf in a"):
        capture.measured_at_load(case.model, case.inputs, case.modules)


def test_attention_that_escapes_capture_is_counted(monkeypatch):
    """BLIP's tower, were it not known here: both counts are told, though nobody expected it."""
    torch.manual_seed(0)
    specimen = zoo.blip_caption()
    with tapped(specimen.model) as matrices:
        specimen.run()
    expected = [name for name in matrices if "text" in name]
    forwards = {
        kind: own for kind, own in adapters._FORWARDS.items() if "BlipAttention" not in kind
    }
    monkeypatch.setattr(adapters, "_FORWARDS", forwards)

    with pytest.raises(
        ModelError, match=r"vision_model.encoder.layers.0.self_attn 2 times, capture saw 0"
    ):
        capture.measured_at_load(specimen.model, specimen.inputs, expected)


def test_what_is_captured_twice_is_counted(monkeypatch):
    """Evaluations that the model never made are no better than missing ones."""
    torch.manual_seed(0)
    case = models.bert()
    add = Recorder.add

    def twice(recorder, call):
        add(recorder, call)
        if call.module is case.model.get_submodule(case.modules[1]):
            add(recorder, call)

    monkeypatch.setattr(Recorder, "add", twice)

    with pytest.raises(ModelError, match=r"layer.1.attention.self 2 times, capture saw 4"):
        capture.measured_at_load(case.model, case.inputs, case.modules)


def test_wrong_outputs_are_found_however_deep_they_lie(monkeypatch):
    """CLIP's towers give theirs within its outputs; here the first state of one alone is wrong."""
    torch.manual_seed(0)
    specimen = zoo.clip()
    with tapped(specimen.model) as matrices:
        specimen.run()
    outputs = fidelity._outputs(specimen.model, specimen.inputs)
    assert "output.vision_model_output.last_hidden_state" in outputs
    calls = []

    def second_differs(model, inputs):
        calls.append(model)
        found = dict(outputs)
        if len(calls) == 2:
            found["output.vision_model_output.last_hidden_state"] = (
                outputs["output.vision_model_output.last_hidden_state"] * 1.1
            )
        specimen.run()
        return found

    monkeypatch.setattr(fidelity, "_outputs", second_differs)

    with pytest.raises(ModelError, match="output_on_off"):
        capture.measured_at_load(specimen.model, specimen.inputs, list(matrices))


def test_outputs_that_vanish_are_refused(monkeypatch):
    """What is there only without capture cannot be compared."""
    case = models.bert()
    outputs = fidelity._outputs(case.model, case.inputs)
    left = iter([outputs, {name: outputs[name] for name in list(outputs)[1:]}])

    def fewer(model, inputs):
        model(**inputs)
        return next(left)

    monkeypatch.setattr(fidelity, "_outputs", fewer)

    with pytest.raises(ModelError, match="last_hidden_state is not in both"):
        capture.measured_at_load(case.model, case.inputs, case.modules)


def test_queries_without_a_key_do_not_count():
    """Eager attention spreads them over keys that are hidden; captured rows are empty."""
    torch.manual_seed(0)
    case = models.llama("left")

    figures = capture.measured_at_load(case.model, case.inputs, case.modules)

    assert figures["weights_vs_eager"] < 1e-5
    with capture.recording(case.model) as recorder:
        case.model(**case.inputs)
    assert any(
        not each.allowed(slice(None)).any(dim=-1).all()
        for each in recorder.evaluations[case.modules[0]]
    )


def test_models_without_eager_attention_are_compared_with_their_fused_one(monkeypatch):
    """Asked for eager they go on as they were; the tap reads that as well."""
    torch.manual_seed(0)
    case = models.llama("right")
    case.model.set_attn_implementation("sdpa")
    switch, asked = case.model.set_attn_implementation, []

    def stubborn(name):
        asked.append(name)
        switch("sdpa" if name == "eager" else name)

    monkeypatch.setattr(case.model, "set_attn_implementation", stubborn)

    figures = capture.measured_at_load(case.model, case.inputs, case.modules)

    assert "eager" in asked
    assert 0 < figures["weights_vs_eager"] < 1e-5


def test_a_layer_that_is_not_heard_is_refused():
    """Expecting more than there is says how many were captured."""
    case = models.bert()

    with pytest.raises(ModelError, match="3 of 4"):
        capture.measured_at_load(case.model, case.inputs, [*case.modules, "pooler"])


@pytest.mark.parametrize("error", ["twice the scores", "no scores", "heads in reverse"])
def test_wrong_weights_of_a_diffuse_model_are_refused(monkeypatch, error):
    """Where attention is almost even each weight is small, and so is its error; its row tells."""
    torch.manual_seed(0)
    case = models.bert()
    for name, parameter in case.model.named_parameters():
        if "query" in name or "key" in name:
            parameter.data *= 0.1
    plain = interface.Call

    def wrong(*parts):
        call = plain(*parts)
        scaling = call.scaling * {"twice the scores": 2, "no scores": 0}.get(error, 1)
        query = call.query.flip(1) if error == "heads in reverse" else call.query
        return replace(call, query=query, scaling=scaling)

    ids = {"input_ids": case.inputs["input_ids"]}
    assert capture.measured_at_load(case.model, ids, case.modules)["weights_vs_eager"] < 1e-6
    monkeypatch.setattr(interface, "Call", wrong)

    with pytest.raises(ModelError, match="weights_vs_eager"):
        capture.measured_at_load(case.model, ids, case.modules)


HALVES = [torch.bfloat16, torch.float16]


def halved(specimen, dtype):
    """The specimen in half precision, on sdpa where it has that, and its attention modules."""
    model = specimen.model.to(dtype)
    inputs = {
        name: value.to(dtype) if value.is_floating_point() else value
        for name, value in specimen.inputs.items()
    }
    with torch.inference_mode(), tapped(model) as matrices:
        model(**inputs)
    if model._supports_sdpa:
        model.set_attn_implementation("sdpa")
    return model, inputs, list(matrices)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", zoo.ZOO)
def test_in_half_precision_weights_are_as_exact(name, dtype):
    """Held against float32 of the model's own queries and keys, in a padded batch."""
    torch.manual_seed(0)

    figures = capture.measured_at_load(*halved(zoo.ZOO[name](), dtype))

    assert figures["weights_vs_eager"] < 1e-5


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("build", [zoo.clip, zoo.visual_bert, zoo.siglip])
def test_in_half_precision_a_slightly_wrong_scale_is_refused(monkeypatch, dtype, build):
    """Two per cent are below what bfloat16 itself rounds off, and are seen all the same."""
    torch.manual_seed(0)
    plain = interface.Call

    def wrong(*parts):
        call = plain(*parts)
        return replace(call, scaling=call.scaling * 1.02)

    monkeypatch.setattr(interface, "Call", wrong)

    with pytest.raises(
        ModelError, match=r"weights_vs_eager is 0\.01\d* in .*, wanted at most 0\.001"
    ):
        capture.measured_at_load(*halved(build(), dtype))


def test_outputs_may_differ_by_the_coarsest_precision(monkeypatch):
    """A model that keeps its first part in float32 says of itself that it is of that type."""
    torch.manual_seed(0)
    model, inputs, modules = halved(zoo.visual_bert(), torch.bfloat16)
    monkeypatch.setattr(type(model), "dtype", torch.float32)
    largest = fidelity._worst(output.abs() for output in fidelity._outputs(model, inputs).values())

    figures = capture.measured_at_load(model, inputs, modules)

    assert figures["output_on_off"] > fidelity.TOLERANCE * largest


def test_in_half_precision_a_changed_output_is_refused(monkeypatch):
    """Modules are fed alike when they are compared; that hides no difference of what they give."""
    torch.manual_seed(0)
    model, inputs, modules = halved(zoo.clip(), torch.bfloat16)
    sdpa = interface.sdpa_attention_forward

    def wrong(*arguments, **options):
        output, weights = sdpa(*arguments, **options)
        return output * 1.5, weights

    monkeypatch.setattr(interface, "sdpa_attention_forward", wrong)

    with pytest.raises(ModelError, match="layer_on_off"):
        capture.measured_at_load(model, inputs, modules)


def test_outputs_that_are_no_numbers_are_refused_with_what_to_do():
    """Some models leave the range of float16, captured or not."""
    case = models.llama()
    case.model.lm_head.weight.data *= 1e6
    case.model.to(torch.float16)

    with pytest.raises(ModelError, match=r"\(nan, in output\.logits\)\. Load it in float32"):
        capture.measured_at_load(case.model, {"input_ids": case.inputs["input_ids"]}, case.modules)


def test_outputs_that_are_known_are_not_worked_out_again(monkeypatch):
    """Given the plain ones, the model runs twice: captured, and under the tap."""
    torch.manual_seed(0)
    case = models.bert()
    plain = capture.plain_outputs(case.model, case.inputs)
    runs, run = [], fidelity._outputs
    monkeypatch.setattr(fidelity, "_outputs", lambda *given: runs.append(1) or run(*given))

    figures = capture.measured_at_load(case.model, case.inputs, case.modules, plain=plain)

    assert len(runs) == 2
    assert figures["output_on_off"] < 1e-5
    other = {name: output + 1 for name, output in plain.items()}
    with pytest.raises(ModelError, match="output_on_off"):
        capture.measured_at_load(case.model, case.inputs, case.modules, plain=other)


@pytest.mark.parametrize(
    ("dtype", "accepted", "refused"),
    [(torch.float32, 5e-4, 2e-3), (torch.bfloat16, 0.1, 0.4), (torch.float16, 0.01, 0.05)],
)
def test_each_output_is_held_against_itself(monkeypatch, dtype, accepted, refused):
    """A small one is not hidden by a large one beside it, nor one of few numbers by many."""
    torch.manual_seed(0)
    case = models.bert()
    case.model.to(dtype)
    ids = {"input_ids": case.inputs["input_ids"]}
    small = torch.tensor([0.02, -0.01], dtype=dtype)
    plain = {"output.large": torch.full((300,), 1e4, dtype=dtype), "output.small": small}

    def given(share):
        def run(model, inputs):
            with torch.inference_mode():
                model(**inputs)
            return plain | {"output.small": small * (1 + share)}

        monkeypatch.setattr(fidelity, "_outputs", run)

    given(accepted)
    capture.measured_at_load(case.model, ids, case.modules, plain=plain)
    given(refused)
    with pytest.raises(ModelError, match=r"output_on_off is .* in output\.small"):
        capture.measured_at_load(case.model, ids, case.modules, plain=plain)


def test_a_nan_in_any_layer_is_refused(monkeypatch):
    """It is neither larger nor smaller than the others' figures, and must not hide behind them."""
    torch.manual_seed(0)
    case = models.bert()

    def one_layer_nan(model, hear, **options):
        def spoilt(name, own):
            hear(name, own * torch.nan if name == case.modules[1] else own)

        return tapped(model, spoilt, **options)

    monkeypatch.setattr(fidelity, "tapped", one_layer_nan)

    with pytest.raises(ModelError, match="nan"):
        capture.measured_at_load(case.model, {"input_ids": case.inputs["input_ids"]}, case.modules)


def test_a_nan_in_what_was_captured_is_refused(monkeypatch):
    """Rows that are no numbers are not taken for rows without a key."""
    torch.manual_seed(0)
    case = models.bert()
    plain = interface.Call

    def one_layer_nan(module, query, *rest):
        is_one = module is case.model.get_submodule(case.modules[1])
        return plain(module, query * torch.nan if is_one else query, *rest)

    monkeypatch.setattr(interface, "Call", one_layer_nan)

    with pytest.raises(ModelError, match="weights_vs_eager"):
        capture.measured_at_load(case.model, {"input_ids": case.inputs["input_ids"]}, case.modules)


def test_large_scores_in_half_precision_are_no_difference(monkeypatch):
    """Eager attention rounds those of Qwen's biased keys by half a unit, capture does not."""
    torch.manual_seed(0)
    specimen = zoo.qwen2_vl()
    for name, parameter in specimen.model.named_parameters():
        if name.endswith("k_proj.bias"):
            parameter.data += 60
    model, inputs, modules = halved(specimen, torch.bfloat16)

    assert capture.measured_at_load(model, inputs, modules)["layer_on_off"] < 5e-3

    def rounding(*arguments, **_options):
        return tapped(*arguments)

    monkeypatch.setattr(fidelity, "tapped", rounding)
    with pytest.raises(ModelError, match="layer_on_off"):
        capture.measured_at_load(model, inputs, modules)


def test_scores_that_capture_rounds_as_well_are_no_difference(monkeypatch):
    """Those that are bent by a softcap are written out, as the model has them."""
    torch.manual_seed(0)
    case = models.gemma2()
    for name in case.modules:
        layer = case.model.get_submodule(name)
        layer.attn_logit_softcapping = 50.0
        layer.q_proj.weight.data *= 20
    model, inputs, modules = halved(case, torch.bfloat16)

    assert capture.measured_at_load(model, inputs, modules)["layer_on_off"] < 5e-3

    def exact(*arguments, **_options):
        return tapped(*arguments, exact=True)

    monkeypatch.setattr(fidelity, "tapped", exact)
    assert capture.measured_at_load(model, inputs, modules)["layer_on_off"] > 1e-2


def test_scores_that_leave_the_range_are_no_difference():
    """Eager attention of float16 makes nan of those beyond 65504, the fused one does not."""
    torch.manual_seed(0)
    specimen = zoo.qwen2_vl()
    for name, parameter in specimen.model.named_parameters():
        if name.endswith(("k_proj.bias", "q_proj.bias")):
            parameter.data += 150
    model, inputs, modules = halved(specimen, torch.float16)

    assert capture.measured_at_load(model, inputs, modules)["layer_on_off"] < 5e-3


def test_a_model_that_is_attached_is_compared_as_it_came(monkeypatch):
    """Not with itself: its parts run on the implementations that each of them had."""
    torch.manual_seed(0)
    specimen = zoo.llava()
    with tapped(specimen.model) as matrices:
        specimen.run()
    wanted = {"": "sdpa", "text_config": "eager", "vision_config": "sdpa"}
    specimen.model.set_attn_implementation(wanted)
    capture.measured_at_load(specimen.model, specimen.inputs, list(matrices))
    calls, attend = [], interface.sdpa_attention_forward
    monkeypatch.setattr(
        interface,
        "sdpa_attention_forward",
        lambda *given, **options: calls.append(1) or attend(*given, **options),
    )

    for model in (specimen.model, copy.deepcopy(specimen.model)):
        capture.attach(model)
        capture.plain_outputs(model, specimen.inputs)

        assert calls == []
        config = model.config
        found = [part._attn_implementation for part in (config, *_parts(config))]
        assert found == list(wanted.values())
        capture.attach(model)
        assert {part._attn_implementation for part in (config, *_parts(config))} == {interface.NAME}


def _parts(config):
    return config.text_config, config.vision_config

"""One module that does something else is found when a model is loaded, wherever it is."""

from dataclasses import replace

import pytest
import torch

from tests.capture import zoo
from vl_core import capture
from vl_core.capture import heads, interface, repeating
from vl_core.capture.tap import tapped
from vl_core.errors import ModelError

DTYPES = [torch.float32, torch.bfloat16, torch.float16]

# Of each architecture one module: what it is.
REACHED = {
    "language layer, the last": (zoo.llava, "model.language_model.layers.1.self_attn"),
    "language layer, key heads shared": (zoo.qwen3_vl, "model.language_model.layers.0.self_attn"),
    "tower layer that nothing reads": (zoo.llava, "model.vision_tower.encoder.layers.1.self_attn"),
    "tower layer": (zoo.internvl, "model.vision_tower.encoder.layer.0.attention"),
    "query tokens on a picture": (zoo.blip2, "qformer.encoder.layer.1.crossattention.attention"),
}
ADAPTED = {
    "text, older": (zoo.blip_matching, "text_encoder.encoder.layer.1.attention.self"),
    "text on a picture, older": (
        zoo.blip_matching,
        "text_encoder.encoder.layer.0.crossattention.self",
    ),
    "tower layer, older": (zoo.blip_caption, "vision_model.encoder.layers.1.self_attn"),
    "decoder layer, older": (zoo.git, "git.encoder.layer.1.attention.self"),
    "module that is called twice": (zoo.lxmert, "encoder.x_layers.1.visual_attention.att"),
    "torch's own": (zoo.siglip, "vision_model.head.attention"),
}


def prepared(build, dtype):
    """The model, what it is fed, and its attention modules."""
    torch.manual_seed(0)
    specimen = build()
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


def refused(model, inputs, modules, match):
    """It is not loaded, for this reason."""
    with pytest.raises(ModelError, match=match):
        capture.measured_at_load(model, inputs, modules)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", REACHED | ADAPTED)
def test_a_module_that_gives_something_else_is_refused(monkeypatch, kind, dtype):
    """Its values' heads in reverse order, within the captured function: no weight tells."""
    build, name = (REACHED | ADAPTED)[kind]
    given = prepared(build, dtype)
    attend, spoilt = interface.sdpa_attention_forward, given[0].get_submodule(name)

    def reversed_heads(module, query, key, value, *rest, **options):
        value = value.flip(1) if module is spoilt else value
        return attend(module, query, key, value, *rest, **options)

    monkeypatch.setattr(interface, "sdpa_attention_forward", reversed_heads)

    refused(*given, match=rf"layer_on_off is .* in {name}, wanted at most (0\.02|0\.0001)\.")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ADAPTED)
def test_an_adapter_that_takes_other_values_is_refused(monkeypatch, kind, dtype):
    """What it hands to the captured function is wrong before: kept rows give back what it gives."""
    build, name = ADAPTED[kind]
    given = prepared(build, dtype)
    attend, spoilt = heads.attention, given[0].get_submodule(name)

    def reversed_heads(module, query, key, value, *rest, **options):
        value = value.flip(1) if module is spoilt else value
        return attend(module, query, key, value, *rest, **options)

    monkeypatch.setattr(heads, "attention", reversed_heads)

    refused(*given, match=rf"layer_on_off is .* in {name}, wanted")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", REACHED | ADAPTED)
def test_what_would_not_give_the_output_again_is_refused(monkeypatch, kind, dtype):
    """The module is right, what is heard of its values is not."""
    build, name = (REACHED | ADAPTED)[kind]
    given = prepared(build, dtype)
    call, spoilt = interface.Call, given[0].get_submodule(name)

    def reversed_heads(module, *rest):
        made = call(module, *rest)
        return replace(made, value=made.value.flip(1)) if module is spoilt else made

    monkeypatch.setattr(interface, "Call", reversed_heads)

    limit = "0.01" if dtype == torch.float32 else "0.1"
    refused(*given, match=rf"row_reconstruction is .* in {name}, wanted at most {limit}\.")


def test_a_module_that_gives_states_of_another_shape_is_refused(monkeypatch):
    """Both shapes are told."""
    given = prepared(zoo.visual_bert, torch.float32)
    monkeypatch.setattr(repeating, "_copied", lambda output: (output[0][:, :-1], None))

    refused(*given, match=r"gives states of shape \(2, 11, 32\), without states of shape \(2, 12,")

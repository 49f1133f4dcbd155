"""Modules that compute attention by themselves ask the captured function; all else is as before."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial, update_wrapper

import pytest
import torch
import transformers
from torch import nn
from transformers.models.blip.modeling_blip_text import BlipTextSelfAttention
from transformers.models.lxmert.modeling_lxmert import LxmertAttention
from transformers.models.vilt.modeling_vilt import ViltSelfAttention

from tests.capture import models, zoo
from vl_core import capture
from vl_core.capture import adapters
from vl_core.capture.tap import tapped
from vl_core.errors import ModelError

EVERYTHING = slice(None)
LEGACY = {
    "vilt": 2,
    "visual_bert": 2,
    "lxmert": 10,  # two of the twelve evaluations are made by a module's second call
    "flava": 6,
    "bridgetower": 4,
    "siglip": 1,
    "siglip2": 1,
    "blip_question": 10,
    "git": 2,
}


@pytest.fixture
def specimen(request):
    """The one that the test names, untouched."""
    torch.manual_seed(0)
    return zoo.ZOO[request.param]()


def heard(specimen, **inputs):
    """What a recorder hears of the specimen's run."""
    with torch.inference_mode(), capture.recording(specimen.model) as recorder:
        specimen.model(**{**specimen.inputs, **inputs})
    return recorder.evaluations


@pytest.mark.parametrize("specimen", LEGACY, indirect=True)
def test_adapting_twice_is_adapting_once(specimen, request):
    """The same number of modules each time, and the evaluations are not doubled."""
    wanted = LEGACY[request.node.callspec.params["specimen"]]

    assert adapters.adapt(specimen.model) == wanted
    capture.attach(specimen.model)
    capture.attach(specimen.model)

    assert adapters.adapt(specimen.model) == wanted
    assert sum(map(len, heard(specimen).values())) == specimen.n_evaluations


def test_models_through_the_interface_have_nothing_to_adapt():
    """Their modules keep their forwards."""
    model = models.llama().model

    assert adapters.adapt(model) == 0
    assert not any("forward" in vars(module) for module in model.modules())


@pytest.mark.parametrize("specimen", ["vilt"], indirect=True)
def test_other_models_of_the_class_are_left_alone(specimen):
    """One instance is adapted; its class, and what is made of it, are as before."""
    before = ViltSelfAttention.forward
    capture.attach(specimen.model)

    another = zoo.vilt().model

    assert ViltSelfAttention.forward is before
    assert not any("forward" in vars(module) for module in another.modules())


@pytest.mark.parametrize("specimen", LEGACY, indirect=True)
def test_release_gives_back_the_models_own_attention(specimen):
    """To the last bit, and nobody hears it any more."""
    with torch.inference_mode():
        plain = specimen.run()[0]
    adapters.adapt(specimen.model)

    adapters.release(specimen.model)

    assert heard(specimen) == {}
    assert torch.equal(specimen.run()[0], plain)


def test_modules_of_the_same_name_elsewhere_are_left_alone():
    """A ViltSelfAttention of someone else's may do something else."""
    elsewhere = type("ViltSelfAttention", (ViltSelfAttention,), {"__module__": "somewhere.else"})
    config = transformers.ViltConfig(**zoo.TEXT, **zoo.PIXELS)

    assert adapters.adapt(ViltSelfAttention(config)) == 1
    assert adapters.adapt(elsewhere(config)) == 0


def pickled(model):
    """What comes out of a file that it went into."""
    return pickle.loads(pickle.dumps(model))  # noqa: S301 our own


@pytest.mark.parametrize("specimen", ["visual_bert", "siglip"], indirect=True)
@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_copies_are_adapted_to_themselves(specimen, copied):
    """A copy computes with its own weights and is heard as itself."""
    capture.attach(specimen.model)
    plain = specimen.run()[0]
    twin = zoo.Specimen(copied(specimen.model), specimen.inputs, specimen.n_evaluations)
    for parameter in specimen.model.parameters():
        nn.init.zeros_(parameter)

    evaluations = heard(twin)

    assert sum(map(len, evaluations.values())) == specimen.n_evaluations
    assert torch.equal(twin.run()[0], plain)


def test_forwards_under_accelerates_hook_are_adapted_beneath_it():
    """What moves the weights to where they are needed must still run first."""
    module = LxmertAttention(transformers.LxmertConfig(**zoo.TEXT)).eval()
    states = torch.randn(1, 3, 32)
    plain = module(states, states)[0]
    calls = []

    def hooked(module, *arguments):
        calls.append("moved")
        return module._old_forward(*arguments)

    module._hf_hook, module._old_forward = object(), module.forward
    module.forward = update_wrapper(partial(hooked, module), module._old_forward)
    adapters.adapt(module)
    with capture.recording(module) as recorder:
        output = module(states, states)[0]

    torch.testing.assert_close(output, plain, atol=1e-6, rtol=0)
    assert calls == ["moved"]
    assert recorder.heard[""] == 1
    adapters.release(module)
    assert torch.equal(module(states, states)[0], plain)
    assert calls == ["moved", "moved"]


@pytest.mark.parametrize("specimen", ["visual_bert", "lxmert"], indirect=True)
def test_gradients_reach_the_weights_of_adapted_modules(specimen):
    """They are those of the untouched model's own attention."""
    outputs = specimen.model(**specimen.inputs, output_attentions=True)
    name, own = {
        "VisualBertModel": ("encoder.layer.1.attention.self", "attentions"),
        "LxmertModel": ("encoder.layer.1.attention.self", "language_attentions"),
    }[type(specimen.model).__name__]
    weights = outputs[own][1]
    (wanted,) = torch.autograd.grad(score(outputs), weights)
    capture.attach(specimen.model)

    with capture.differentiable(specimen.model) as kept:
        found = score(specimen.model(**specimen.inputs))
    (gradient,) = torch.autograd.grad(found, kept[name])

    torch.testing.assert_close(kept[name][0], weights, atol=1e-5, rtol=0)
    assert wanted.abs().max() > 0
    torch.testing.assert_close(gradient, wanted, atol=1e-4 * float(wanted.abs().max()), rtol=1e-4)


def score(outputs):
    """One number that depends on all of the first output."""
    return (outputs[0] * torch.linspace(-1, 1, outputs[0].numel()).view_as(outputs[0])).sum()


@pytest.mark.parametrize("specimen", LEGACY, indirect=True)
def test_edits_reach_adapted_modules(specimen):
    """Each is offered for each call, and the model goes on with what comes back."""
    capture.attach(specimen.model)
    plain, calls = specimen.run()[0], []

    def halved(name, output):
        calls.append(name)
        return output / 2

    with capture.editing(specimen.model, halved):
        edited = specimen.run()[0]

    assert sum(map(len, heard(specimen).values())) == 2 * len(calls)
    assert not torch.allclose(edited, plain, atol=1e-3)


@pytest.mark.parametrize("specimen", ["lxmert", "siglip"], indirect=True)
def test_threads_hear_only_themselves(specimen):
    """Runs of one adapted model at once record the same as one after the other."""
    capture.attach(specimen.model)
    texts = [torch.randint(10, 90, (2, length)) for length in (3, 4, 5, 6)]

    def weights(ids):
        runs = [
            heard(specimen, input_ids=ids, attention_mask=torch.ones_like(ids)) for _ in range(5)
        ]
        return [
            each.rows(EVERYTHING, EVERYTHING)
            for evaluations in runs
            for module in evaluations.values()
            for each in module
        ]

    alone = [weights(ids) for ids in texts]
    with ThreadPoolExecutor(len(texts)) as pool:
        together = list(pool.map(weights, texts))

    for expected, found in zip(alone, together, strict=True):
        assert len(found) == 5 * specimen.n_evaluations
        for one, other in zip(expected, found, strict=True):
            torch.testing.assert_close(other, one, atol=1e-6, rtol=0)


@pytest.mark.parametrize("specimen", ["visual_bert"], indirect=True)
def test_dropout_is_the_models_own(specimen):
    """None when it answers, as much as it was made with when it is trained."""
    capture.attach(specimen.model)
    for module in specimen.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    plain = specimen.run()[0]
    specimen.model.encoder.layer[0].attention.self.dropout.p = 0.5

    assert torch.equal(specimen.run()[0], plain)
    specimen.model.train()
    assert not torch.allclose(specimen.run()[0], plain, atol=1e-2)


def test_context_is_looked_at_though_it_has_the_queries_shape():
    """In LXMERT there may be as many words as regions."""
    torch.manual_seed(0)
    module = models.sharpened(LxmertAttention(transformers.LxmertConfig(**zoo.TEXT)))
    states, context = torch.randn(2, 5, 32), torch.randn(2, 5, 32)
    plain = module(states, context)[0]

    adapters.adapt(module)

    torch.testing.assert_close(module(states, context)[0], plain, atol=1e-5, rtol=0)


def self_and_cross_cache():
    """Of an encoder and a decoder."""
    return transformers.EncoderDecoderCache(
        transformers.DynamicCache(), transformers.DynamicCache()
    )


@pytest.mark.parametrize("cache", [lambda: None, transformers.DynamicCache, self_and_cross_cache])
@pytest.mark.parametrize("is_cross", [False, True])
def test_blips_text_attention_keeps_its_masks_and_caches(cache, is_cross):
    """Two steps, alone: what the cache holds after each is the same as well."""
    torch.manual_seed(0)
    config = transformers.BlipTextConfig(**zoo.TEXT, encoder_hidden_size=24)
    module = models.sharpened(BlipTextSelfAttention(config, is_cross, layer_idx=0))
    context = {"encoder_hidden_states": torch.randn(2, 5, 24)} if is_cross else {}
    steps = [torch.randn(2, 3, 32), torch.randn(2, 1, 32)]

    def run():
        kept, n_keys = cache(), 0
        for states in steps:
            n_keys = n_keys + states.shape[1] if isinstance(kept, transformers.Cache) else 0
            looked_at = 5 if is_cross else n_keys or states.shape[1]
            if is_cross and isinstance(kept, transformers.DynamicCache):
                looked_at = 5 * (1 + (states is steps[1]))  # BLIP appends the picture once more
            mask = torch.linspace(-3, 0, looked_at)[None, None, None]
            name = "encoder_attention_mask" if is_cross else "attention_mask"
            yield module(states, **{name: mask}, **context, past_key_values=kept)[0]

    plain = list(run())
    adapters.adapt(module)

    for output, expected in zip(run(), plain, strict=True):
        torch.testing.assert_close(output, expected, atol=1e-5, rtol=0)


def test_models_that_nothing_is_known_of_do_not_ask_the_interface():
    """DeBERTa accepts any implementation's name and computes attention by itself."""
    config = transformers.DebertaV2Config(**zoo.TEXT, max_position_embeddings=16)

    assert not adapters.asks_the_interface(transformers.DebertaV2Model(config))
    assert not adapters.asks_the_interface(zoo.vilt().model)
    assert adapters.asks_the_interface(zoo.clip().model)


# nn.MultiheadAttention

PADDING = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
HIDDEN = torch.tensor([[True, False, False, False, False], [False, False, True, True, False]] * 2)
BIAS = torch.linspace(-2, 2, 4 * 5).view(4, 5)
MASKS = {
    "no mask": {},
    "padding": {"key_padding_mask": PADDING},
    "padding in numbers": {"key_padding_mask": PADDING * -3.0},
    "hidden keys": {"attn_mask": HIDDEN},
    "bias": {"attn_mask": BIAS},
    "bias of each head": {"attn_mask": torch.linspace(-3, 3, 2 * 3 * 4 * 5).view(2 * 3, 4, 5)},
    "both": {"attn_mask": HIDDEN, "key_padding_mask": PADDING},
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_torchs_attention_gives_what_it_gave(mask, batch_first, bias):
    """Four queries on five keys in a batch of two: outputs, and the weights it would report."""
    torch.manual_seed(0)
    module = nn.MultiheadAttention(12, 3, bias=bias, batch_first=batch_first).eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    query, key, value = torch.randn(2, 4, 12), torch.randn(2, 5, 12), torch.randn(2, 5, 12)
    if not batch_first:
        query, key, value = (states.transpose(0, 1) for states in (query, key, value))
    plain, weights = module(query, key, value, average_attn_weights=False, **MASKS[mask])
    adapters.adapt(module)

    with capture.recording(module) as recorder:
        output, reported = module(query, key, value, **MASKS[mask])

    assert reported is None
    torch.testing.assert_close(output, plain, atol=1e-5, rtol=1e-5)
    for evaluation, expected in zip(recorder.evaluations[""], weights, strict=True):
        rows = evaluation.rows(EVERYTHING, EVERYTHING)
        torch.testing.assert_close(rows, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("batch_first", [True, False])
def test_torchs_attention_in_half_precision_is_torchs_to_the_last_digit(dtype, batch_first):
    """Queries and keys are rounded as it rounds them, so their weights agree as float32's do."""
    torch.manual_seed(0)
    module = nn.MultiheadAttention(12, 3, batch_first=batch_first).eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    module.to(dtype)
    query, key = torch.randn(2, 5, 12).to(dtype), torch.randn(2, 5, 12).to(dtype)
    with tapped(module) as matrices:
        module(query, key, key)
    adapters.adapt(module)

    with capture.recording(module) as recorder:
        module(query, key, key)

    for evaluation, own in zip(recorder.evaluations[""], matrices[""], strict=True):
        rows = evaluation.rows(EVERYTHING, EVERYTHING)
        torch.testing.assert_close(rows, own, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "options", [{"kdim": 8}, {"vdim": 8}, {"add_bias_kv": True}, {"add_zero_attn": True}]
)
def test_torchs_attention_in_unknown_forms_is_refused(options):
    """Their keys are not those that would be shown."""
    with pytest.raises(ModelError, match="kdim"):
        adapters.adapt(nn.MultiheadAttention(12, 3, **options))


def test_torchs_attention_without_a_batch_is_refused():
    """No model is known that calls it so."""
    module = nn.MultiheadAttention(12, 3)
    adapters.adapt(module)

    with pytest.raises(ModelError, match=r"\(4, 12\)"):
        module(*[torch.randn(4, 12)] * 3)

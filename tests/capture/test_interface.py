"""The captured attention behaves exactly like eager attention, whether someone listens or not."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import transformers

from tests.capture import models
from vl_core import capture
from vl_core.capture import interface, rules
from vl_core.capture.recorder import ACTIVE
from vl_core.errors import ModelError

EVERYTHING = slice(None)


@pytest.fixture(params=itertools.product(models.CASES, ["whole", "in blocks"]), ids=" ".join)
def case(request, monkeypatch):
    """One tiny model of each kind, on eager attention; in blocks of rows, as if it were large."""
    name, way = request.param
    if way == "in blocks":
        monkeypatch.setattr(rules, "BLOCK_BYTES", 200)
    torch.manual_seed(0)
    return models.CASES[name]()


def run(case, **options):
    """The model's outputs on the case's inputs."""
    with torch.inference_mode():
        return case.model(**case.inputs, **options)


def recorded(case):
    """The same, with what a recorder heard."""
    with capture.recording(case.model) as recorder:
        outputs = run(case)
    return outputs, recorder.evaluations


def shown_rows(case, evaluation, item):
    """Queries that are no padding; what padding looks at is undefined in eager attention too."""
    if evaluation.queries.shape[1] == case.is_padding.shape[1]:
        return ~case.is_padding[item]
    return torch.ones(evaluation.queries.shape[1], dtype=torch.bool)


def test_captured_weights_are_those_of_eager_attention(case):
    """Every layer, head and sequence gives the weights that the model itself reports."""
    eager = case.attentions(run(case, output_attentions=True))
    capture.attach(case.model)

    _, evaluations = recorded(case)

    assert sorted(evaluations) == sorted(case.modules)
    for name, weights in zip(case.modules, eager, strict=True):
        for item, evaluation in enumerate(evaluations[name]):
            rows = shown_rows(case, evaluation, item)
            difference = evaluation.rows(EVERYTHING, EVERYTHING) - weights[item]
            assert difference[:, rows].abs().max() < 1e-5


def test_keys_are_allowed_where_eager_gives_them_weight(case):
    """What a query may look at is what it looks at, padding and masks included."""
    eager = case.attentions(run(case, output_attentions=True))
    capture.attach(case.model)

    _, evaluations = recorded(case)

    for name, weights in zip(case.modules, eager, strict=True):
        for item, evaluation in enumerate(evaluations[name]):
            rows = shown_rows(case, evaluation, item)
            looked_at = (weights[item] > 0).any(dim=0)
            assert torch.equal(evaluation.allowed(EVERYTHING)[rows], looked_at[rows])


def test_outputs_are_those_of_eager_attention(case):
    """Switching a model to the captured attention changes none of its outputs."""
    eager = run(case)[0]
    capture.attach(case.model)

    assert (run(case)[0] - eager).abs().max() < 1e-5 * max(1, float(eager.abs().max()))


def test_listening_changes_nothing(case):
    """The outputs are the same to the last bit, recorded or not."""
    capture.attach(case.model)

    assert torch.equal(recorded(case)[0][0], run(case)[0])


def test_idle_attention_is_plain_sdpa():
    """Without a recorder an attached decoder gives sdpa's own outputs, bit for bit."""
    torch.manual_seed(0)
    case = models.llama()
    case.model.set_attn_implementation("sdpa")
    plain = run(case)[0]

    capture.attach(case.model)

    assert torch.equal(run(case)[0], plain)


def test_threads_hear_only_themselves():
    """Runs of one model object at once record the same as one after the other, none the others'."""
    torch.manual_seed(0)
    case = models.llama()
    capture.attach(case.model)
    texts = [torch.randint(5, 50, (1, length)) for length in (4, 7, 9, 12, 15)]

    def last_weights(ids):
        with torch.inference_mode(), capture.recording(case.model) as recorder:
            for _ in range(5):
                case.model(input_ids=ids)
        heard = recorder.evaluations[case.modules[-1]]
        return len(heard), heard[-1].rows(EVERYTHING, EVERYTHING)

    def unrecorded(ids):
        with torch.inference_mode():
            for _ in range(5):
                case.model(input_ids=ids)

    alone = [last_weights(ids) for ids in texts]
    with ThreadPoolExecutor(2 * len(texts)) as pool:
        noise = [pool.submit(unrecorded, ids) for ids in texts]
        together = list(pool.map(last_weights, texts))
        for future in noise:
            future.result()

    for (count, expected), (heard, weights) in zip(alone, together, strict=True):
        assert heard == count == 5
        torch.testing.assert_close(weights, expected, atol=1e-6, rtol=0)


def test_recording_ends_with_its_block():
    """A run that fails leaves no recorder behind."""
    case = models.bert()
    capture.attach(case.model)
    with pytest.raises(IndexError), capture.recording(case.model):
        case.model(input_ids=torch.tensor([[1_000_000]]))

    assert ACTIVE.get() is None


def test_generation_is_captured_step_by_step():
    """Each new token looks at all tokens so far, and the text is the one eager attention gives."""
    torch.manual_seed(0)
    model = models.llama().model
    ids = torch.randint(5, 50, (1, 6))
    options = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}
    expected = model.generate(ids, **options)
    capture.attach(model)

    with capture.recording(model) as recorder:
        generated = model.generate(ids, **options)

    assert torch.equal(generated, expected)
    heard = recorder.evaluations["model.layers.0.self_attn"]
    shapes = [tuple(evaluation.rows(slice(0, 1), EVERYTHING).shape[1:]) for evaluation in heard]
    assert shapes == [(6, 6), (1, 7), (1, 8), (1, 9)]
    assert all(evaluation.allowed(EVERYTHING)[-1].all() for evaluation in heard)


def test_half_precision_models_get_float32_weights():
    """The softmax runs in float32, as bfloat16 has three digits and rows would not sum to one."""
    torch.manual_seed(0)
    case = models.llama()
    case.model.to(torch.bfloat16)
    capture.attach(case.model)

    _, evaluations = recorded(case)

    evaluation = evaluations[case.modules[0]][0]
    weights = evaluation.rows(EVERYTHING, EVERYTHING)
    keys = evaluation.keys.double().repeat_interleave(3, dim=0)
    scores = evaluation.queries.double() @ keys.transpose(1, 2) * evaluation.scaling
    hidden = torch.ones(scores.shape[1:], dtype=torch.bool).triu(1)
    expected = scores.masked_fill(hidden, -torch.inf).softmax(dim=-1)
    assert weights.dtype == torch.float32
    assert (weights - expected).abs().max() < 1e-5


def test_module_is_causal_is_not_asked():
    """No mask means no mask, whatever the module says of itself; BridgeTower's layers lie."""
    module = torch.nn.Module()
    module.is_causal = True
    query, key, value = torch.randn(3, 1, 2, 5, 8)

    output, _ = interface.attention(module, query, key, value, None)

    full = torch.softmax(query @ key.transpose(2, 3) / 8**0.5, dim=-1) @ value
    torch.testing.assert_close(output, full.transpose(1, 2), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(2, 1, 1, 7), (1, 1, 5, 7), (2, 3, 5, 7)])
def test_masks_of_any_shape_are_obeyed(shape):
    """A mask may be shared by queries, by sequences, or be each head's own."""
    torch.manual_seed(0)
    module = torch.nn.Module()
    query, key, value = torch.randn(2, 3, 5, 8), torch.randn(2, 3, 7, 8), torch.randn(2, 3, 7, 8)
    mask = torch.where(torch.rand(shape) < 0.3, torch.finfo(torch.float32).min, 0.0)
    mask[..., 0] = 0  # each query keeps a key
    eager = torch.softmax(query @ key.transpose(2, 3) / 8**0.5 + mask, dim=-1)

    with capture.recording(module) as recorder:
        output, _ = interface.attention(module, query, key, value, mask)

    torch.testing.assert_close(output, (eager @ value).transpose(1, 2), atol=1e-5, rtol=0)
    for item, evaluation in enumerate(recorder.evaluations[""]):
        torch.testing.assert_close(
            evaluation.rows(EVERYTHING, EVERYTHING), eager[item], atol=1e-5, rtol=0
        )
        assert torch.equal(evaluation.allowed(EVERYTHING), (eager[item] > 0).any(dim=0))


def test_boolean_masks_with_a_bias_hide_keys():
    """A boolean mask beside a position bias hides keys; adding it would only raise them by one."""
    module = torch.nn.Module()
    query, key, value = torch.randn(3, 1, 2, 5, 8)
    bias = torch.randn(1, 2, 5, 5)
    allowed = torch.ones(1, 1, 5, 5, dtype=torch.bool).tril()
    scores = query @ key.transpose(2, 3) / 8**0.5 + bias
    eager = scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1)

    with capture.recording(module) as recorder:
        interface.attention(module, query, key, value, allowed, position_bias=bias)

    weights = recorder.evaluations[""][0].rows(EVERYTHING, EVERYTHING)
    torch.testing.assert_close(weights, eager[0], atol=1e-5, rtol=0)


def test_a_bias_needs_no_mask_beside_it():
    """It is added to the scores as it is, and every key is allowed."""
    module = torch.nn.Module()
    query, key, value = torch.randn(3, 1, 2, 5, 8)
    bias = torch.randn(1, 2, 5, 5)
    eager = (query @ key.transpose(2, 3) / 8**0.5 + bias).softmax(dim=-1)

    with capture.recording(module) as recorder:
        output, _ = interface.attention(module, query, key, value, None, position_bias=bias)

    evaluation = recorder.evaluations[""][0]
    torch.testing.assert_close(output, (eager @ value).transpose(1, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(evaluation.rows(EVERYTHING, EVERYTHING), eager[0], atol=1e-5, rtol=0)
    assert evaluation.allowed(EVERYTHING).all()


def test_attention_sinks_are_refused():
    """A model whose rows do not sum to one is refused rather than shown wrongly."""
    config = transformers.GptOssConfig(
        **models.DECODER, head_dim=8, num_local_experts=2, num_experts_per_tok=1
    )
    model = transformers.GptOssForCausalLM(config).eval()
    capture.attach(model)

    with pytest.raises(ModelError, match="attention sinks"):
        model(input_ids=torch.tensor([[5, 6, 7]]))


def test_purely_causal_masks_reach_sdpa_as_such(monkeypatch):
    """A purely causal mask is not added but left to sdpa, which then does half the work."""
    calls = []

    def spy(*arguments, **options):
        calls.append((arguments[4], options["is_causal"]))
        return sdpa(*arguments, **options)

    sdpa = interface.sdpa_attention_forward
    monkeypatch.setattr(interface, "sdpa_attention_forward", spy)
    case = models.llama()
    capture.attach(case.model)

    run(case)

    assert calls == [(None, True)] * len(case.modules)

"""The tap sees the attention of models that it knows nothing of, and leaves them as they are."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.capture import models, zoo
from vl_core import capture
from vl_core.capture import adapters
from vl_core.capture.repeating import noting, repeating
from vl_core.capture.tap import tapped


@pytest.fixture(params=models.CASES)
def case(request):
    """One tiny model of each kind, on eager attention."""
    torch.manual_seed(0)
    return models.CASES[request.param]()


def run(case, **options):
    """The model's outputs on the case's inputs."""
    with torch.inference_mode():
        return case.model(**case.inputs, **options)


def n_hooks(model):
    """How many hooks are on the model."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_what_is_seen_is_what_the_model_reports(case):
    """The weights are those of output_attentions, by the name of the module that made them."""
    reported = case.attentions(run(case, output_attentions=True))

    with tapped(case.model) as matrices:
        run(case)

    assert sorted(matrices) == sorted(case.modules)
    for name, weights in zip(case.modules, reported, strict=True):
        assert torch.equal(torch.stack(matrices[name]), weights)


@pytest.mark.parametrize("name", [name for name in models.CASES if "gemma2" not in name])
def test_fused_attention_is_seen_as_well(name):
    """Weights that sdpa never shows are those of eager attention, wherever a query has a key."""
    torch.manual_seed(0)
    case = models.CASES[name]()
    with tapped(case.model) as eager:
        run(case)
    case.model.set_attn_implementation("sdpa")

    with tapped(case.model) as fused:
        run(case)

    assert fused.keys() == eager.keys()
    for module, matrices in eager.items():
        for item, (matrix, own) in enumerate(zip(fused[module], matrices, strict=True)):
            is_shown = torch.ones(own.shape[1], dtype=torch.bool)
            if own.shape[1] == case.is_padding.shape[1]:
                is_shown = ~case.is_padding[item]
            torch.testing.assert_close(matrix[:, is_shown], own[:, is_shown], atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [None, 0.7])
@pytest.mark.parametrize("mask", ["none", "causal", "boolean", "added"])
def test_fused_attention_is_read_by_the_book(mask, scale):
    """Two key heads for six heads, more keys than queries; one sum for each weight."""
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 6, 3, 4), torch.randn(2, 2, 5, 4), torch.randn(2, 2, 5, 4)
    is_allowed = torch.rand(2, 1, 3, 5) < 0.6
    is_allowed[1, :, 1] = False  # a query without a key
    added = torch.randn(1, 6, 1, 5)
    options = {
        "none": {},
        "causal": {"is_causal": True},
        "boolean": {"attn_mask": is_allowed},
        "added": {"attn_mask": added},
    }[mask]
    module = nn.Module()
    module.forward = lambda: functional.scaled_dot_product_attention(
        query, key, value, scale=scale, enable_gqa=True, **options
    )

    with tapped(module) as matrices:
        output = module()

    for sequence, matrix in enumerate(matrices[""]):
        for head in range(6):
            for row in range(3):
                scores = key[sequence, head // 3] @ query[sequence, head, row]
                weights = (scores * (0.5 if scale is None else scale)).exp()
                if mask == "causal":
                    weights[row + 1 :] = 0
                elif mask == "boolean":
                    weights[~is_allowed[sequence, 0, row]] = 0
                elif mask == "added":
                    weights *= added[0, head, 0].exp()
                weights /= weights.sum().clamp(min=1e-9)
                torch.testing.assert_close(matrix[head, row], weights, atol=1e-5, rtol=0)
                given = weights @ value[sequence, head // 3]
                torch.testing.assert_close(output[sequence, head, row], given, atol=1e-5, rtol=0)


@pytest.mark.parametrize("options", [{}, {"average_attn_weights": False}, {"need_weights": False}])
def test_torchs_attention_is_seen_head_by_head(options):
    """Whatever it was asked to report, which stays what it reports."""
    torch.manual_seed(0)
    module = nn.MultiheadAttention(12, 3, batch_first=True).eval()
    query, key = torch.randn(2, 4, 12), torch.randn(2, 5, 12)
    _, weights = module(query, key, key, average_attn_weights=False)
    plain, reported = module(query, key, key, **options)

    with tapped(module) as matrices:
        output, still_reported = module(query, key, key, **options)

    assert torch.equal(output, plain)
    assert (reported is still_reported is None) or torch.equal(reported, still_reported)
    torch.testing.assert_close(torch.stack(matrices[""]), weights)


def test_torchs_encoder_is_seen_layer_by_layer():
    """It leaves its fast path, which shows nothing, while someone listens."""
    layer = nn.TransformerEncoderLayer(16, 4, 24, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False).eval()
    states = torch.randn(2, 5, 16)

    with torch.inference_mode(), tapped(encoder) as matrices:
        encoder(states)

    assert list(matrices) == [f"layers.{number}.self_attn" for number in range(3)]
    assert all(len(found) == 2 for found in matrices.values())
    assert matrices["layers.2.self_attn"][0].shape == (4, 5, 5)


class Homemade(nn.Module):
    """Attention as research code writes it, with softmaxes that are no attention around it."""

    def __init__(self):
        super().__init__()
        self.softmax = nn.Softmax(dim=-1)

    def forward(self, scores):
        """scores: (batch, head, query, key)."""
        functional.softmax(scores[0, 0], dim=-1)  # of logits
        torch.softmax(scores[0], dim=-1)  # of logits for each token
        scores.softmax(1)  # of heads
        scores.softmax(dim=-2)
        return self.softmax(scores), scores.softmax(-1), torch.softmax(scores, 3)


def test_softmaxes_over_anything_else_are_left_out():
    """Four axes, over the last one: attention; the name is that of the module, not its softmax."""
    module, scores = Homemade(), torch.randn(2, 3, 4, 5)

    with tapped(module) as matrices:
        weights = module(scores)

    assert list(matrices) == [""]
    assert torch.equal(torch.stack(matrices[""]), torch.cat(weights))


def test_half_precision_is_seen_in_float32():
    """So that it can be compared; it is the model's own all the same."""
    module, scores = Homemade(), torch.randn(1, 3, 4, 5, dtype=torch.bfloat16)

    with tapped(module) as matrices:
        weights = module(scores)[0]

    assert matrices[""][0].dtype == torch.float32
    assert torch.equal(matrices[""][0], weights[0].float())


def test_whoever_listens_keeps_what_they_want():
    """Told of each matrix as it is made, the tap keeps none itself."""
    torch.manual_seed(0)
    case, told = models.bert(), []

    with tapped(case.model, lambda name, matrix: told.append((name, matrix.shape))) as matrices:
        run(case)

    assert matrices == {}
    assert told == [(name, (4, 11, 11)) for name in case.modules for _ in range(2)]


def test_nothing_stays_behind():
    """Hooks go with the block, also where the run fails; a later run is seen rightly."""
    case = models.bert()
    before = n_hooks(case.model)
    with pytest.raises(IndexError), tapped(case.model) as matrices:
        case.model(input_ids=torch.tensor([[1_000_000]]))

    assert n_hooks(case.model) == before
    run(case)
    assert matrices == {}


class Forgiving(nn.Module):
    """Goes on when its child fails."""

    def __init__(self):
        super().__init__()
        self.child = nn.Linear(4, 4)

    def forward(self, scores):
        """scores: (batch, head, query, key)."""
        with pytest.raises(RuntimeError):
            self.child(scores)
        return scores.softmax(dim=-1)


def test_a_module_that_fails_is_left():
    """What its parent computes afterwards is the parent's."""
    with tapped(module := Forgiving()) as matrices:
        module(torch.randn(1, 2, 3, 5))

    assert list(matrices) == [""]


def test_threads_see_only_themselves():
    """Hooks are called by all threads that run the model; those of others must not be counted."""
    torch.manual_seed(0)
    specimen = zoo.lxmert()
    texts = [torch.randint(10, 90, (2, length)) for length in (3, 4, 5, 6)]

    def seen(ids):
        mask = torch.ones_like(ids)
        with torch.inference_mode(), tapped(specimen.model) as matrices:
            for _ in range(5):
                specimen.model(**{**specimen.inputs, "input_ids": ids, "attention_mask": mask})
        return matrices

    def unseen(ids):
        mask = torch.ones_like(ids)
        with torch.inference_mode():
            for _ in range(5):
                specimen.model(**{**specimen.inputs, "input_ids": ids, "attention_mask": mask})

    alone = [seen(ids) for ids in texts]
    with ThreadPoolExecutor(2 * len(texts)) as pool:
        noise = [pool.submit(unseen, ids) for ids in texts]
        together = list(pool.map(seen, texts))
        for future in noise:
            future.result()

    for expected, found in zip(alone, together, strict=True):
        assert found.keys() == expected.keys()
        for name, matrices in expected.items():
            for one, other in zip(matrices, found[name], strict=True):
                torch.testing.assert_close(other, one, atol=1e-6, rtol=0)


def test_an_attached_model_is_seen_too():
    """What capture runs is sdpa, which the tap reads without capture's help."""
    torch.manual_seed(0)
    case = models.gemma2()
    with tapped(case.model) as eager:
        run(case)
    capture.attach(case.model)

    with tapped(case.model) as attached:
        run(case)

    for name, matrices in eager.items():
        torch.testing.assert_close(
            torch.stack(attached[name]), torch.stack(matrices), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (zoo.visual_bert, "encoder.layer.1.attention.self"),
        (zoo.siglip, "vision_model.head.attention"),
        (zoo.llava, "model.language_model.layers.1.self_attn"),
    ],
)
def test_half_precision_may_go_on_with_weights_that_are_not_rounded(build, name):
    """Large scores then make no difference between what a module gives itself and captured."""
    torch.manual_seed(0)
    specimen = build()
    module = specimen.model.get_submodule(name)
    for key, parameter in module.named_parameters():
        if key in {"query.weight", "in_proj_weight", "q_proj.weight"}:
            parameter.data[:32] *= 60  # of the packed one the queries' part
    specimen.model.to(torch.bfloat16)
    inputs = {
        key: value.bfloat16() if value.is_floating_point() else value
        for key, value in specimen.inputs.items()
    }
    model = specimen.model
    with torch.inference_mode(), tapped(model) as matrices:
        model(**inputs)
    capture.attach(model)
    with torch.inference_mode(), noting(list(map(model.get_submodule, matrices))) as given:
        model(**inputs)
    adapters.detach(model)

    def difference(**options):
        found = []

        def compare(which, own, captured):
            if which is module:
                found.append(float((own[0] - captured[0]).float().norm()))

        with torch.inference_mode(), repeating(given, compare), tapped(model, **options):
            model(**inputs)
        return max(found)

    assert difference(exact=True) < 0.7 * difference()

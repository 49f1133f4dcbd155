"""What a trace keeps gives back the live weights within 2e-3, whatever the model adds to them."""

import numpy as np
import pytest
import torch

import vl_core
from tests.builders import random_picture
from tests.capture import models
from tests.families.test_qwen_vl import save_qwen2
from vl_core import capture
from vl_core.capture import keeping
from vl_core.capture.evaluation import Evaluation, Sample
from vl_core.capture.masks import LiveMask
from vl_core.example import Example
from vl_core.trace import KeptQueriesKeys, KeptWeights

EVERYTHING = slice(None)


def evaluation(*, heads=3, key_heads=3, queries=10, keys=10, dim=4, **options):
    """A random evaluation, with scores large enough for sharp attention."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator) * 1.7

    return Evaluation(
        queries=options.pop("asked", normal(heads, queries, dim)),
        keys=options.pop("offered", normal(key_heads, keys, dim)),
        sample=Sample.of(normal(key_heads, keys, dim + 1), normal(queries, heads, dim + 1)),
        mask=options.pop("mask", LiveMask((queries, keys), torch.device("cpu"))),
        scaling=dim**-0.5,
        **options,
    )


def biased(table):
    """A mask that adds this (head x query x key) to the scores."""
    return LiveMask.of(table[None], 0, table.shape[1:])


def halved(live):
    """Queries and keys in float16."""
    return keeping.queries_keys(keeping.in_halves(live).rounded)


def error(kept, live):
    """The largest difference between stored and live weights."""
    stored = kept.rows(EVERYTHING, EVERYTHING)
    return float(abs(stored - live.rows(EVERYTHING, EVERYTHING).numpy()).max())


@pytest.mark.parametrize("name", models.CASES)
@pytest.mark.parametrize("form", [keeping.weights, halved])
def test_both_forms_give_the_live_weights(name, form):
    """Masked, shared, softcapped or scaled: what is stored is what was seen, within 2e-3."""
    torch.manual_seed(0)
    case = models.CASES[name]()
    capture.attach(case.model)
    with torch.inference_mode(), capture.recording(case.model) as recorder:
        case.model(**case.inputs)

    for heard in recorder.evaluations.values():
        for live in heard:
            if form is keeping.weights or live.mask.bias is None:
                assert error(form(live), live) < 2e-3


def rotated(values, sizes):
    """The values with as much added to each dimension, turned as rotary embeddings turn them."""
    count, half = values.shape[1], values.shape[2] // 2
    angles = torch.arange(count)[:, None] * 100.0 ** (-torch.arange(half) / half)
    one, other = (values + sizes).chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([one * cos - other * sin, other * cos + one * sin], dim=-1)


def with_rotated_bias(n_tokens, dtype=torch.float32):
    """As Qwen2-VL has them: key biases of hundreds, which differ from key to key once rotated."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor([300.0, 0.0, -250.0, 40.0, 0.0, -10.0, 0.0, 90.0])
    asked, offered = (torch.randn(3, n_tokens, 8, generator=generator) for _ in range(2))
    return evaluation(
        queries=n_tokens,
        keys=n_tokens,
        dim=8,
        asked=rotated(asked / 4, torch.zeros(8)).to(dtype),
        offered=rotated(offered, sizes).to(dtype),
    )


def test_rotated_key_biases_are_kept_in_single_precision():
    """Centring does not take them away, and float16 has no digits left for the keys themselves."""
    live = with_rotated_bias(50)

    assert error(halved(live), live) > 2e-3
    kept = keeping.block(live).kept
    assert kept.queries.dtype == kept.keys.dtype == np.float32
    assert error(kept, live) < 2e-4


def test_what_is_kept_in_single_precision_is_a_copy():
    """The model's own queries and keys are part of something larger, and may be written into."""
    live = with_rotated_bias(50)
    kept = keeping.block(live).kept
    before = kept.queries.copy()

    live.queries.zero_()

    np.testing.assert_array_equal(kept.queries, before)


def test_weights_are_kept_where_they_are_smaller_than_single_precision():
    """Between two and four times as many tokens as the head is wide."""
    live = with_rotated_bias(20)
    kept = keeping.block(live).kept

    assert isinstance(kept, KeptWeights)
    assert error(kept, live) < 2e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_what_a_model_in_half_precision_computed_is_kept_as_it_is(dtype):
    """No digit is lost, however large the biases: its numbers have no more than float16 holds."""
    live = with_rotated_bias(50, dtype)
    kept = keeping.block(live).kept

    assert kept.queries.dtype == kept.keys.dtype == np.float16
    ratio = kept.keys.astype(np.float64) / live.keys.double().numpy()
    assert len(np.unique(ratio)) == 1
    assert error(kept, live) < 2e-4


def test_the_smallest_numbers_of_float16_are_kept():
    """Beside the largest: the scale leaves room below them and not above."""
    offered = torch.full((3, 10, 4), 2.0**-24, dtype=torch.float16)
    offered[:, 0] = 30000
    live = evaluation(offered=offered, asked=torch.ones(3, 10, 4, dtype=torch.float16))
    kept = halved(live)

    ratio = kept.keys.astype(np.float64) / live.keys.double().numpy()
    assert len(np.unique(ratio)) == 1


def test_a_layer_with_such_biases_is_within_the_tolerance(tmp_path):
    """Qwen2-VL's own code, with key biases as large as its checkpoints have."""
    model = vl_core.load(str(save_qwen2(tmp_path)))
    layer = model.family.model.model.language_model.layers[1].self_attn
    with torch.no_grad():
        layer.k_proj.bias[::3] = 250.0
    example = Example(random_picture((330, 190)), "what color is the star?")
    heard = {}
    with pytest.MonkeyPatch.context() as patch:
        hear = capture.Gathering.hear
        patch.setattr(
            capture.Gathering, "hear", lambda *args: [heard.update({args[1]: args[2]}), hear(*args)]
        )
        trace = model.trace(example)
    live = heard["model.language_model.layers.1.self_attn"].rows(EVERYTHING, EVERYTHING)

    stack = trace.stacks["language"]
    assert stack.blocks[1][0].kept.is_precise
    assert not stack.blocks[0][0].kept.is_precise
    assert abs(stack.weights[1] - live.numpy()).max() < 2e-4
    assert (
        trace.n_bytes
        <= model.footprint.estimate(
            {name: stream.tokens for name, stream in trace.streams.items()}
        ).total
    )


def test_a_large_key_bias_costs_no_precision():
    """Keys are centred first: a bias of 200, as Qwen2 has, would eat the digits of float16."""
    torch.manual_seed(0)
    offered = torch.randn(3, 10, 4) + torch.tensor([200.0, -200.0, 0.0, 50.0])
    live = evaluation(offered=offered, asked=torch.randn(3, 10, 4))

    assert error(halved(live), live) < 2e-3


def test_softcapped_keys_are_not_centred():
    """A softcap bends each score by its size, so shifting all scores of a row changes the row."""
    torch.manual_seed(0)
    offered = torch.randn(3, 10, 4) + torch.tensor([6.0, -6.0, 0.0, 3.0])
    live = evaluation(offered=offered, softcap=5.0)

    assert error(halved(live), live) < 2e-3


@pytest.mark.parametrize("size", [1e-7, 1e7])
def test_queries_and_keys_of_any_size_fit(size):
    """Numbers beyond float16 neither overflow nor vanish."""
    plain = evaluation()
    live = evaluation(asked=plain.queries * size, offered=plain.keys / size)

    assert error(halved(live), live) < 2e-3


@pytest.mark.parametrize(
    ("sizes", "form"),
    [
        ({"queries": 7, "keys": 7, "dim": 4}, KeptWeights),
        ({"queries": 8, "keys": 8, "dim": 4}, KeptQueriesKeys),
        ({"queries": 2, "keys": 40, "dim": 4}, KeptWeights),
        (
            {"queries": 9, "keys": 9, "dim": 4, "mask": biased(torch.ones(1, 9, 9).tril())},
            KeptQueriesKeys,
        ),
        (
            {
                "queries": 9,
                "keys": 9,
                "dim": 4,
                "mask": biased(torch.arange(81.0).view(1, 9, 9)),
            },
            KeptWeights,
        ),
    ],
)
def test_the_smaller_form_is_kept(sizes, form):
    """Weights where they take less room (n < 2d) or a bias follows from no distance."""
    assert isinstance(keeping.block(evaluation(**sizes)).kept, form)


def test_queries_without_a_key_keep_no_weights():
    """A fully masked query looks at nothing, in both forms."""
    allowed = torch.ones(10, 10, dtype=torch.bool)
    allowed[4] = False
    live = evaluation(mask=LiveMask.of(allowed[None, None], 0, (10, 10)))

    for form in (keeping.weights, halved):
        rows = form(live).rows(EVERYTHING, EVERYTHING)
        assert (rows[:, 4] == 0).all()
        assert np.allclose(np.delete(rows, 4, axis=1).sum(axis=-1), 1, atol=1e-5)

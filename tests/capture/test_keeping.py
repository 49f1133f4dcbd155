"""What a trace keeps gives back the live weights within the rounding of half precision."""

import numpy as np
import pytest
import torch

from tests.capture import models
from vl_core import capture
from vl_core.capture import keeping
from vl_core.capture.evaluation import Evaluation, Sample
from vl_core.capture.masks import LiveMask
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
        mask=options.pop("mask", LiveMask()),
        scaling=dim**-0.5,
        **options,
    )


def error(kept, live):
    """The largest difference between stored and live weights."""
    stored = kept.rows(EVERYTHING, EVERYTHING)
    return float(abs(stored - live.rows(EVERYTHING, EVERYTHING).numpy()).max())


@pytest.mark.parametrize("name", models.CASES)
@pytest.mark.parametrize("form", [keeping.weights, keeping.queries_keys])
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


def test_a_large_key_bias_costs_no_precision():
    """Keys are centred first: a bias of 200, as Qwen2 has, would eat the digits of float16."""
    torch.manual_seed(0)
    offered = torch.randn(3, 10, 4) + torch.tensor([200.0, -200.0, 0.0, 50.0])
    live = evaluation(offered=offered, asked=torch.randn(3, 10, 4))

    assert error(keeping.queries_keys(live), live) < 2e-3


def test_softcapped_keys_are_not_centred():
    """A softcap bends each score by its size, so shifting all scores of a row changes the row."""
    torch.manual_seed(0)
    offered = torch.randn(3, 10, 4) + torch.tensor([6.0, -6.0, 0.0, 3.0])
    live = evaluation(offered=offered, softcap=5.0)

    assert error(keeping.queries_keys(live), live) < 2e-3


@pytest.mark.parametrize("size", [1e-7, 1e7])
def test_queries_and_keys_of_any_size_fit(size):
    """Numbers beyond float16 neither overflow nor vanish."""
    plain = evaluation()
    live = evaluation(asked=plain.queries * size, offered=plain.keys / size)

    assert error(keeping.queries_keys(live), live) < 2e-3


@pytest.mark.parametrize(
    ("sizes", "form"),
    [
        ({"queries": 7, "keys": 7, "dim": 4}, KeptWeights),
        ({"queries": 8, "keys": 8, "dim": 4}, KeptQueriesKeys),
        ({"queries": 2, "keys": 40, "dim": 4}, KeptWeights),
        (
            {"queries": 9, "keys": 9, "dim": 4, "mask": LiveMask(bias=torch.ones(1, 9, 9))},
            KeptWeights,
        ),
    ],
)
def test_the_smaller_form_is_kept(sizes, form):
    """Weights where they take less room (n < 2d) or a bias exists, else queries and keys."""
    assert isinstance(keeping.block(evaluation(**sizes)).kept, form)


def test_queries_without_a_key_keep_no_weights():
    """A fully masked query looks at nothing, in both forms."""
    allowed = torch.ones(10, 10, dtype=torch.bool)
    allowed[4] = False
    live = evaluation(mask=LiveMask(allowed))

    for form in (keeping.weights, keeping.queries_keys):
        rows = form(live).rows(EVERYTHING, EVERYTHING)
        assert (rows[:, 4] == 0).all()
        assert np.allclose(np.delete(rows, 4, axis=1).sum(axis=-1), 1, atol=1e-5)

"""Weights as they are kept, times values, against what attention gave."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.capture import models
from tests.capture.test_stacks import gathered, places, tokens_of
from vl_core import capture
from vl_core.capture import keeping
from vl_core.capture.reconstruction import reconstruction_error
from vl_core.trace import Block, Mask


@pytest.fixture
def evaluation():
    """What the middle layer of a causal model did."""
    torch.manual_seed(0)
    case = models.llama()
    capture.attach(case.model)
    with torch.inference_mode(), capture.recording(case.model) as recorder:
        case.model(input_ids=case.inputs["input_ids"][:1])
    return recorder.evaluations["model.layers.1.self_attn"][0]


def test_stored_rows_give_back_the_output(evaluation):
    """Weights as stored, times live values, are the layer's own output to half precision."""
    assert 0 < reconstruction_error(keeping.block(evaluation), evaluation) < 2e-3


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
def test_what_is_stored_wrongly_shows(evaluation, spoilt):
    """A wrong mask, scale, head or order makes the figure large."""
    kept = spoilt(keeping.queries_keys(evaluation))
    wrong = Block(evaluation.query_positions, evaluation.key_positions, kept)

    assert reconstruction_error(wrong, evaluation) > 0.02


def test_the_worst_layer_tells(monkeypatch):
    """Of a run, the figure is that of its worst evaluation; a nan is worse than any number."""
    torch.manual_seed(0)
    case = models.llama()
    capture.attach(case.model)
    gathering = capture.Gathering(places, {"encoder": tokens_of(case, 0)})
    errors = iter([0.1, float("nan"), 0.2])
    monkeypatch.setattr("vl_core.capture.stacks.reconstruction_error", lambda *_: next(errors))

    with torch.inference_mode(), capture.recording(case.model, gathering.hear):
        case.model(input_ids=case.inputs["input_ids"][:1])

    assert np.isnan(gathering.row_reconstruction)


def test_fully_masked_queries_are_left_out():
    """Eager attention of a query without a key is arbitrary; it does not count as an error."""
    torch.manual_seed(0)
    case = models.llama("left")
    capture.attach(case.model)
    with torch.inference_mode(), capture.recording(case.model) as recorder:
        case.model(**case.inputs)
    padded = {name: [both[1]] for name, both in recorder.evaluations.items()}

    assert gathered(padded, places, {"encoder": tokens_of(case, 1)})
    for (evaluation,) in padded.values():
        assert reconstruction_error(keeping.block(evaluation), evaluation) < 2e-3

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
from vl_core.errors import ModelError
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


def run_with(monkeypatch, *errors):
    """The figure of a run whose layers have these."""
    torch.manual_seed(0)
    case = models.llama()
    capture.attach(case.model)
    gathering = capture.Gathering(places, {"encoder": tokens_of(case, 0)})
    left = iter(errors)
    monkeypatch.setattr("vl_core.capture.stacks.reconstruction_error", lambda *_: next(left))
    with torch.inference_mode(), capture.recording(case.model, gathering.hear):
        case.model(input_ids=case.inputs["input_ids"][:1])
    return gathering.row_reconstruction


def test_the_worst_layer_tells(monkeypatch):
    """Of a run, the figure is that of its worst evaluation."""
    assert run_with(monkeypatch, 0.1, 0.3, 0.2) == 0.3


@pytest.mark.parametrize("error", [np.nan, np.inf])
def test_a_layer_that_is_no_number_is_refused(monkeypatch, error):
    """With its name and what to do: half precision ran out of range."""
    with pytest.raises(ModelError, match=r"in the attention of .*layers\.1.*Load it in float32"):
        run_with(monkeypatch, 0.1, error, 0.2)


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
        block, sample = keeping.block(evaluation), evaluation.sample
        error = reconstruction_error(block, evaluation)
        assert error < 2e-3
        is_empty = torch.arange(models.N_TOKENS)[sample.rows] < models.N_PADDED
        assert is_empty.any()
        for anything in (1e6, torch.nan):
            output = sample.output.masked_fill(is_empty[:, None, None], anything)
            other = replace(evaluation, sample=replace(sample, output=output))
            assert reconstruction_error(block, other) == pytest.approx(error)


@pytest.mark.parametrize("part", ["queries", "values", "output"])
def test_what_is_no_number_is_not_taken_for_nothing(evaluation, part):
    """The figure is none either, whatever it comes from."""
    if part == "queries":
        evaluation = replace(evaluation, queries=evaluation.queries * torch.nan)
    else:
        spoilt = {part: getattr(evaluation.sample, part) * torch.nan}
        evaluation = replace(evaluation, sample=replace(evaluation.sample, **spoilt))

    assert np.isnan(reconstruction_error(keeping.block(evaluation), evaluation))

"""A recorder knows whom it heard, and whom it should have heard."""

import pytest
import torch

from tests.capture import models
from vl_core import capture
from vl_core.capture import interface
from vl_core.errors import ModelError


@pytest.fixture
def recorder():
    """What was heard of a three-layer model."""
    model = models.bert().model
    capture.attach(model)
    with torch.inference_mode(), capture.recording(model) as recorder:
        model(input_ids=torch.tensor([[5, 6, 7]]))
    return recorder


def test_modules_are_told_by_name(recorder):
    """Evaluations are found under the name of the module that made them."""
    assert list(recorder.evaluations) == [
        f"encoder.layer.{layer}.attention.self" for layer in range(3)
    ]


def test_all_heard_is_complete(recorder):
    """Nothing is raised if exactly the expected modules were heard."""
    recorder.check_complete(list(recorder.evaluations))


def test_missing_modules_are_an_error(recorder):
    """A layer that bypasses the interface is noticed, with both counts."""
    expected = [*recorder.evaluations, "encoder.layer.3.attention.self"]

    with pytest.raises(ModelError, match=r"3 of 4 layers .* encoder.layer.3"):
        recorder.check_complete(expected)


def test_unplaced_modules_are_an_error(recorder):
    """Attention that the family does not know of is not dropped in silence."""
    expected = list(recorder.evaluations)[1:]

    with pytest.raises(ModelError, match=r"encoder.layer.0"):
        recorder.check_complete(expected)


def test_other_models_are_an_error(recorder):
    """Recording one model while another runs is a mistake."""
    other = models.bert().model
    capture.attach(other)

    with capture.recording(models.bert().model), pytest.raises(ModelError, match="no part of"):
        other(input_ids=torch.tensor([[5, 6, 7]]))


def test_of_values_and_outputs_a_small_copy_is_kept():
    """Eight rows and eight dimensions of 40 and 24; the model's own tensors can go."""
    module = torch.nn.Module()
    query, key = torch.randn(1, 3, 40, 6), torch.randn(1, 3, 56, 6)
    value = torch.randn(1, 3, 56, 24)
    with capture.recording(module) as recorder:
        output, _ = interface.attention(module, query, key, value, None)

    sample = recorder.evaluations[""][0].sample

    assert torch.equal(sample.values, value[0, :, :, ::3])
    assert torch.equal(sample.output, output[0, ::5, :, ::3])
    assert sample.rows == slice(None, None, 5)
    for kept, live in ((sample.values, value), (sample.output, output)):
        assert kept.untyped_storage().nbytes() == 4 * kept.numel() < live.untyped_storage().nbytes()

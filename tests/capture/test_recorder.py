"""A recorder knows whom it heard, and whom it should have heard."""

import pytest
import torch

from tests.capture import models
from vl_core import capture
from vl_core.capture import interface
from vl_core.capture.masks import LiveMask
from vl_core.capture.recorder import Call, Recorder
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


def heard_with(masks, biases=None):
    """The masks of evaluations that follow one another, as they were read."""
    module = torch.nn.Module()
    query = torch.randn(1, 3, 5, 4)
    with capture.recording(module) as recorder:
        for mask, bias in zip(masks, biases or [None] * len(masks), strict=True):
            interface.attention(module, query, query, query, mask, position_bias=bias)
    return [one.mask for one in recorder.evaluations[""]], recorder


def test_layers_that_share_mask_and_bias_share_their_reading():
    """Though the model adds them up anew in each layer."""
    mask, bias = torch.zeros(1, 1, 5, 5), torch.randn(1, 3, 5, 5)
    other = torch.randn(1, 3, 5, 5)

    (first, second, third, fourth), _ = heard_with(
        [mask, mask, mask, None], [bias, bias, other, bias]
    )

    assert first is second
    assert torch.equal(first.bias, bias[0])
    assert torch.equal(third.bias, other[0])
    assert torch.equal(fourth.bias, bias[0])
    assert first is not fourth


def test_only_the_last_few_masks_are_held():
    """A model on several devices makes a copy for every layer: each is as large as the stream."""
    masks = [torch.randn(1, 1, 5, 5) for _ in range(20)]

    heard, recorder = heard_with([*masks, masks[-1]])

    assert heard[-1] is heard[-2]
    held = [part for parts, _ in recorder._masks.values() for part in parts]
    assert not any(one is masks[3] for one in held)
    for mask, live in zip(masks, heard[:-1], strict=True):
        assert torch.equal(live.bias, mask[0])


def test_a_mask_is_read_where_the_queries_are(monkeypatch):
    """A causal mask that fused attention never looks at may have stayed on another device."""
    devices = []

    def read(mask, _item, _shape):
        devices.append(mask.device.type)
        return LiveMask((5, 5), mask.device)

    monkeypatch.setattr(LiveMask, "of", read)
    module, mask = torch.nn.Linear(2, 2), torch.zeros(1, 1, 5, 5)
    recorder = Recorder(module)
    for device in ("meta", "cpu"):
        states = torch.zeros(1, 3, 5, 4, device=device)
        output, made_of = states.transpose(1, 2), (mask, None)
        recorder.add(Call(module, states, states, states, mask, made_of, output, 1.0, None))

    assert devices == ["meta", "cpu"]

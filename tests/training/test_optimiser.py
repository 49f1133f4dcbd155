"""Float32 masters behind a bfloat16 model."""

import pytest
import torch
from torch import nn

from tests.families.kdvlp.small import small_model
from training.group import Group
from training.joint import rate_scale
from training.optimiser import Masters, as_bfloat16


def masters_of(model):
    """Masters of all parameters."""
    names = [name for name, _ in model.named_parameters()]
    return Masters(model, names, muon_rate=1e-3, adam_rate=1e-3, weight_decay=0.0)


def some_steps(model, masters, count, start=0):
    """Steps towards any target."""
    inputs = torch.arange(6).view(1, 6)
    for step in range(start, start + count):
        hidden = model.kdvlp(inputs + step).last_hidden_state.float()
        (hidden - 1).square().sum().backward()
        masters.step(1.0, Group(0, 1))


def test_batch_norm_keeps_float32():
    """Everything else is bfloat16."""
    model = small_model()
    as_bfloat16(model)
    norms = {
        id(v) for m in model.modules() if isinstance(m, nn.BatchNorm2d) for v in m.parameters()
    }

    for value in model.parameters():
        assert value.dtype == (torch.float32 if id(value) in norms else torch.bfloat16)


def test_steps_smaller_than_bfloat16_add_up():
    """A rate whose single step bfloat16 rounds away still moves the model in the end."""
    model = nn.Linear(3, 1, bias=False)
    nn.init.ones_(model.weight)
    as_bfloat16(model)
    masters = Masters(model, ["weight"], muon_rate=None, adam_rate=1e-3, weight_decay=0.0)
    seen = []
    for _ in range(8):
        model(torch.ones(1, 3, dtype=torch.bfloat16)).sum().backward()
        masters.step(1.0, Group(0, 1))
        seen.append(model.weight[0, 0].item())

    assert seen[0] == 1.0
    assert seen[-1] < 1.0


def test_resumed_masters_go_on_as_if_never_stopped():
    """Five steps at once give the weights of three, a saved state, and two more."""
    whole, first, second = small_model(), small_model(), small_model()
    for model in (whole, first, second):
        as_bfloat16(model)
    some_steps(whole, masters_of(whole), 5)
    before = masters_of(first)
    some_steps(first, before, 3)
    after = masters_of(second)
    after.load({name: value.clone() for name, value in before.state().items()})
    some_steps(second, after, 2, start=3)

    for (name, one), other in zip(whole.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other), name


def test_gradient_norm_is_clipped():
    """A huge gradient moves plain parameters no further than a small one of the same direction."""
    ends = []
    for scale in (10.0, 1e6):
        model = nn.Linear(4, 1, bias=False)
        nn.init.ones_(model.weight)
        masters = Masters(model, ["weight"], muon_rate=None, adam_rate=1e-2, weight_decay=0.0)
        (model(torch.ones(1, 4)).sum() * scale).backward()
        masters.step(1.0, Group(0, 1))
        ends.append(model.weight.detach().clone())

    torch.testing.assert_close(ends[0], ends[1])


def test_rate_ramps_stays_and_falls():
    """The rate starts low, is full in the middle and almost nothing at the end."""
    ramp, decay = 50, 0.4

    assert rate_scale(0, 0.0, ramp, decay) == pytest.approx(1 / ramp)
    assert rate_scale(1000, 1 - decay, ramp, decay) == pytest.approx(1)
    assert rate_scale(1000, 1 - decay / 4, ramp, decay) == pytest.approx(0.25)
    assert 0 < rate_scale(1000, 1.0, ramp, decay) < 0.01

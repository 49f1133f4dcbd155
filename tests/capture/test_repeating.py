"""What modules gave on one run is given again on the next."""

import pytest
import torch
from torch import nn

from vl_core.capture.repeating import noting, repeating


class Twice(nn.Module):
    """Two modules, the second called twice; states are added to in place."""

    def __init__(self):
        super().__init__()
        self.first, self.second = Pair(), nn.Linear(3, 3)

    def forward(self, states):
        """states: token x width."""
        states = self.first(states)[0]
        states += 1
        return self.second(self.second(states))


class Pair(nn.Module):
    """Gives its states with nothing beside them, as attention does."""

    def forward(self, states):
        """Twice as much."""
        return states * 2, None


@pytest.fixture
def module():
    """Random weights."""
    torch.manual_seed(0)
    return Twice()


def n_hooks(module):
    """How many hooks are on it."""
    return sum(len(part._forward_hooks) for part in module.modules())


def test_other_input_gives_the_same_again(module):
    """Whatever comes in: each call of a module gives what the same call gave before."""
    with torch.inference_mode():
        with noting([module.first, module.second]) as given:
            wanted = module(torch.ones(2, 3))
        with repeating(given):
            found = module(torch.zeros(2, 3))

    assert torch.equal(found, wanted)
    assert [len(outputs) for outputs in given.values()] == [1, 2]


def test_what_was_noted_is_not_changed_later(module):
    """The model adds to its states in place; what is given again is what was given."""
    with torch.inference_mode(), noting([module.first]) as given:
        module(torch.ones(2, 3))

    states, nothing = given[module.first][0]
    assert torch.equal(states, torch.full((2, 3), 2.0))
    assert nothing is None


def test_modules_that_were_not_noted_give_their_own(module):
    """They are fed what the others gave."""
    with torch.inference_mode():
        with noting([module.first]) as given:
            wanted = module(torch.ones(2, 3))
        nn.init.zeros_(module.second.weight)
        with repeating(given):
            found = module(torch.ones(2, 3))

    assert not torch.equal(found, wanted)
    assert torch.equal(found, module.second.bias.expand(2, 3))


def test_nothing_stays_behind(module):
    """Hooks go with the block, also where the run fails."""
    with pytest.raises(RuntimeError), noting([module.first, module.second]) as given:
        module(torch.ones(2, 4))
    with pytest.raises(RuntimeError), repeating(given):
        module(torch.ones(4, 4)[:, :2] @ torch.ones(3, 3))

    assert n_hooks(module) == 0

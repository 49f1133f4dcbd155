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
        assert [len(outputs) for outputs in given.values()] == [1, 2]
        with repeating(given):
            found = module(torch.zeros(2, 3))

    assert torch.equal(found, wanted)


def test_what_it_gives_itself_can_be_compared(module):
    """Each call of a module, made of what the others gave before."""
    told = []
    with torch.inference_mode():
        with noting([module.first, module.second]) as given:
            module(torch.ones(2, 3))
        (states, _), (once, twice) = given[module.first][0], given[module.second]
        with repeating(given, lambda *both: told.append(both)):
            module(torch.zeros(2, 3))

    assert [one for one, _, _ in told] == [module.first, module.second, module.second]
    assert torch.equal(told[0][1][0], torch.zeros(2, 3))
    assert told[0][2][0] is states
    for (_, own, noted), wanted in zip(told[1:], (once, twice), strict=True):
        assert torch.equal(own, wanted)  # fed the same, it gives the same
        assert noted is wanted


def test_it_is_given_again_as_often_as_one_likes(module):
    """The model adds in place to what it is given, not to what was noted."""
    with torch.inference_mode():
        with noting([module.first]) as given:
            wanted = module(torch.ones(2, 3))
        for _ in range(2):
            with repeating(given):
                assert torch.equal(module(torch.zeros(2, 3)), wanted)


def test_a_call_too_many_gives_its_own(module):
    """Of what was noted nothing is left for it; whoever counts calls will see."""
    with torch.inference_mode(), noting([module.second]) as given:
        module(torch.ones(2, 3))
    del given[module.second][1]
    with torch.inference_mode(), repeating(given):
        found = module(torch.ones(2, 3))
        wanted = module(torch.ones(2, 3))

    assert torch.equal(found, wanted)


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

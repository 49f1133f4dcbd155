"""Scores in half precision, worked out beside in float32: by whatever steps a model takes."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from vl_core.capture import scores
from vl_core.capture.tap import tapped

HALVES = [torch.bfloat16, torch.float16]
SCALE, CAP = 0.3, 7.0


def by_matmul(query, key, mask):
    """As most models do it."""
    return torch.matmul(query, key.transpose(2, 3)) * SCALE + mask


def by_operators(query, key, mask):
    """Divided, and the mask written into the scores."""
    found = query @ key.transpose(-1, -2)
    found /= 1 / SCALE
    found += mask
    return found


def by_einsum(query, key, mask):
    """With the axes by name."""
    return mask + SCALE * torch.einsum("bhqd,bhkd->bhqk", query, key)


def by_bmm(query, key, mask):
    """Heads and sequences in one axis until the mask comes."""
    found = torch.bmm(query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2)).mul(SCALE)
    return found.view(2, 3, 4, 5) + mask


def in_float32(query, key, mask):
    """Brought to float32 only once they are rounded."""
    return (query @ key.transpose(2, 3) * SCALE).float() + mask.float()


def filled(query, key, mask):
    """Hidden keys filled in, one of them by its place."""
    found = (query @ key.transpose(2, 3) * SCALE).masked_fill(mask < -100, -1e4)
    found[mask.expand_as(found) < -100] = torch.finfo(found.dtype).min
    return found


WAYS = [by_matmul, by_operators, by_einsum, by_bmm, in_float32, filled]


@pytest.fixture(params=HALVES)
def given(request):
    """Queries, keys and a mask of two sequences of three heads; scores of some tens."""
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 3, 4, 8, generator=generator) * 8
    key = torch.randn(2, 3, 5, 8, generator=generator) * 4
    mask = torch.zeros(2, 1, 1, 5)
    mask[1, ..., 3:] = -1e4
    return query.to(request.param), key.to(request.param), mask.to(request.param)


def weights(query, key, mask, cap=None):
    """What they give in float64."""
    found = query.double() @ key.double().transpose(2, 3) * SCALE
    found = found if cap is None else torch.tanh(found / cap) * cap
    return (found + mask.double()).softmax(dim=-1)


def seen(make):
    """The module's output, and the weights that the tap sees meanwhile."""
    module = nn.Module()
    module.forward = make
    with tapped(module) as matrices:
        output = module()
    return output, torch.stack(matrices[""])


@pytest.mark.parametrize("way", WAYS)
def test_weights_are_those_of_float64(given, way):
    """To rounding in float32, where the model's own are off by some hundredths."""
    own, found = seen(lambda: way(*given).softmax(dim=-1))

    assert (own.double() - weights(*given)).abs().max() > 1e-3
    assert (found.double() - weights(*given)).abs().max() < 1e-5


def test_bent_scores_are_followed(given):
    """Through a softcap, to a softmax in float32."""
    query, key, mask = given

    def make():
        found = torch.tanh(query @ key.transpose(2, 3) * SCALE / CAP) * CAP
        return functional.softmax(found + mask, dim=-1, dtype=torch.float32).to(query.dtype)

    _, found = seen(make)

    assert (found.double() - weights(*given, CAP)).abs().max() < 1e-5


@pytest.mark.parametrize("way", WAYS)
def test_the_models_own_stay_as_they_are(given, way):
    """To the last bit; also what it adds to is not written into twice."""
    plain = way(*given)

    output, _ = seen(lambda: way(*given).softmax(dim=-1))

    assert torch.equal(output, plain.softmax(dim=-1))


def test_what_scores_are_added_to_is_written_into_once(given):
    """A table of the model's own that collects them has no float32 beside it."""
    query, key, _ = given
    plain = torch.ones(2, 3, 4, 5) + query @ key.transpose(2, 3)
    table = torch.ones(2, 3, 4, 5)

    output, _ = seen(lambda: table.add_(query @ key.transpose(2, 3)).softmax(dim=-1))

    assert torch.equal(table, plain)
    assert torch.equal(output, plain.softmax(dim=-1))


def test_scores_changed_in_an_unknown_way_are_not_followed(given):
    """What was known of them holds no longer: the weights are taken as they were written."""
    output, found = seen(lambda: by_matmul(*given).sigmoid_().softmax(dim=-1))

    assert torch.equal(found, output.float())


def test_float32_is_left_alone():
    """There is nothing to work out again."""
    query, key = torch.randn(1, 3, 4, 8), torch.randn(1, 3, 5, 8)

    assert scores.beside(torch.matmul, (query, key.transpose(2, 3)), {}) is None


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("is_same", [True, False])
def test_torchs_own_attention_is_worked_out_from_its_queries_and_keys(dtype, bias, is_same):
    """These are rounded as it rounds them; scale and mask are float32's."""
    torch.manual_seed(0)
    module = nn.MultiheadAttention(12, 3, bias=bias, batch_first=True).eval().to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            # Numbers of few digits, whose projections half precision holds as they are.
            parameter.copy_(torch.randint(-1, 2, parameter.shape) / 4)
    key = torch.randint(-3, 4, (2, 5, 12)).to(dtype)
    query = key if is_same else torch.randint(-3, 4, (2, 4, 12)).to(dtype)
    is_padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    plain, _ = module(query, key, key, key_padding_mask=is_padding)

    with tapped(module) as matrices:
        output, _ = module(query, key, key, key_padding_mask=is_padding)

    parts = zip((query, key), module.in_proj_weight.chunk(3), strict=False)
    biases = module.in_proj_bias.chunk(3) if bias else (torch.zeros(12),) * 3
    asked, offered = (
        (states.double() @ weight.double().T + one.double()).unflatten(-1, (3, 4)).transpose(1, 2)
        for (states, weight), one in zip(parts, biases, strict=False)
    )
    expected = asked @ offered.transpose(2, 3) / 2
    expected = expected.masked_fill(is_padding[:, None, None], -torch.inf).softmax(dim=-1)
    assert torch.equal(output, plain)
    assert (torch.stack(matrices[""]).double() - expected).abs().max() < 1e-5

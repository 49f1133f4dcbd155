"""Position codes against plain loops."""

import math

import pytest
import torch

from vl_core.families.kdvlp.position import centred_code, normalized_code, position_code


def plain_centred(row, n_rows, width):
    """The formula, one number at a time."""
    count = width // 2
    steps = [k / (count - 1) for k in range(count)]
    frequencies = [math.pi / 8 * 8**step for step in steps]
    angles = [(row - (n_rows - 1) / 2) * frequency for frequency in frequencies]
    return [0.6 * math.sin(a) for a in angles] + [0.6 * math.cos(a) for a in angles]


def plain_normalized(row, n_rows, width):
    """SOHO's formula, one number at a time."""
    share = 2 * math.pi * (row + 1) / (n_rows + 1e-6)
    code = []
    for k in range(width):
        angle = share / 10_000 ** (2 * (k // 2) / width)
        code.append(math.sin(angle) if k % 2 == 0 else math.cos(angle))
    return code


@pytest.mark.parametrize(
    ("code", "plain"), [(centred_code, plain_centred), (normalized_code, plain_normalized)]
)
def test_code_follows_its_formula(code, plain):
    """Each number is what the formula says, for every index of several sizes."""
    for size in (2, 5, 8):
        found = code(torch.arange(size).float(), torch.full((size,), float(size)), 12)
        expected = torch.tensor([plain(index, size, 12) for index in range(size)])
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_first_half_tells_the_row_and_second_the_column():
    """Cells of one row share the first half, cells of one column the second; others do not."""
    places = torch.tensor([[[1, 2], [1, 4], [3, 2]]])
    code = position_code("centred", places, torch.tensor([[5, 7]]), 16)[0]

    assert torch.equal(code[0, :8], code[1, :8])
    assert torch.equal(code[0, 8:], code[2, 8:])
    assert not torch.allclose(code[0, :8], code[2, :8])
    assert not torch.allclose(code[0, 8:], code[1, 8:])


def test_centred_sine_has_the_sign_of_the_half_whatever_the_aspect():
    """The slowest sine is negative in the upper half and positive in the lower, in any grid."""
    for size in range(2, 9):
        index = torch.arange(size).float()
        slowest = centred_code(index, torch.full((size,), float(size)), 8)[:, 0]
        assert torch.equal(slowest.sign(), (index - (size - 1) / 2).sign())


def test_pictures_of_one_batch_keep_their_own_grid():
    """A cell's code depends on its own picture's grid, not on the largest in the batch."""
    places = torch.tensor([[[1, 0]], [[1, 0]]])
    both = position_code("centred", places, torch.tensor([[4, 6], [8, 6]]), 16)
    alone = position_code("centred", places[:1], torch.tensor([[4, 6]]), 16)

    assert torch.equal(both[0], alone[0])
    assert not torch.allclose(both[0], both[1])

"""Two-dimensional position codes: what tells the encoder where in the picture a cell lies.

A cell's place is its row and column, counted from 0 at the top left; a picture has `n_rows` x
`n_columns` cells. The first half of a code tells the row, the second half the column.
"""

import math

import torch
from torch import Tensor

_AMPLITUDE = (
    0.6  # the content beside it is layer-normed: at 0.02, BERT's usual scale, places go unnoticed
)


def position_code(kind: str, places: Tensor, grid: Tensor, width: int) -> Tensor:
    """Code of each cell: (..., cell, width), float32.

    `places` (..., cell, 2) holds row and column, `grid` (..., 2) the picture's number of rows and
    columns.
    """
    code = {"centred": centred_code, "normalized": normalized_code}[kind]
    sizes = grid.unsqueeze(-2).expand_as(places)
    halves = [
        code(places[..., axis].float(), sizes[..., axis].float(), width // 2) for axis in (0, 1)
    ]
    return torch.cat(halves, dim=-1)


def centred_code(index: Tensor, size: Tensor, width: int) -> Tensor:
    """Sinusoids of the distance to the picture's centre, in cells.

    The sign of that distance says which half a cell lies in, whatever the picture's aspect.
    Frequencies run from pi / 8 (monotonic over eight cells) to pi (neighbours have opposite signs).
    """
    # The type is said, for torch's default may be changed by anybody in the process.
    lowest, highest = math.log(math.pi / 8), math.log(math.pi)
    steps = torch.linspace(lowest, highest, width // 2, device=index.device, dtype=torch.float32)
    frequencies = torch.exp(steps)
    angles = (index - (size - 1) / 2).unsqueeze(-1) * frequencies
    return _AMPLITUDE * torch.cat([angles.sin(), angles.cos()], dim=-1)


def normalized_code(index: Tensor, size: Tensor, width: int) -> Tensor:
    """Sinusoids of the share of the picture, sine and cosine in turn.

    The share is (index + 1) / size, in (0, 1], times 2 pi.
    Source: the position code of SOHO (Huang et al. 2021), with frequencies 10000^(-2 floor(k/2) /
    width).
    """
    share = 2 * math.pi * (index + 1) / (size + 1e-6)
    pair = torch.arange(width, device=index.device) // 2
    angles = share.unsqueeze(-1) * 10_000.0 ** (-2 * pair.float() / width)
    return torch.where(
        torch.arange(width, device=index.device) % 2 == 0, angles.sin(), angles.cos()
    )

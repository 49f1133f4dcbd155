"""What modules that are adapted have in common: their states in heads, and attention of these."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from vl_core.capture.interface import Projected, attention

# A module by the names of its parts, which torch knows as Tensor or Module and never as a layer.
Parts = Any
Forward = Callable[..., tuple[Tensor | None, ...]]


def split(states: Tensor, dim: int) -> Tensor:
    """From (batch, token, width) to (batch, head, token, dim)."""
    return states.view(*states.shape[:-1], -1, dim).transpose(1, 2)


def attended(module: Parts, projected: Projected, mask: Tensor | None, rate: float) -> Tensor:
    """What the heads give, side by side: (batch, query, width). rate: of dropout in training."""
    dropout = rate if module.training else 0.0
    output, _ = attention(module, *projected, mask, dropout=dropout)
    return output.flatten(2)

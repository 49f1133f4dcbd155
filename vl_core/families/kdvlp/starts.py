"""Layers that start with weights of their own; all others start as `initializer_range` says."""

import math

from torch import nn
from transformers import initialization as init


class SpreadLinear(nn.Linear):
    """A linear layer whose weights start with a given standard deviation; `None`: as all others."""

    def __init__(self, width_in: int, width_out: int, std: float | None) -> None:
        super().__init__(width_in, width_out)
        self.std = std

    def start(self) -> None:
        """New weights, unless the layer has loaded ones."""
        if self.std is not None:
            init.trunc_normal_(self.weight, std=self.std)


class SpreadEmbedding(nn.Embedding):
    """A table whose weights start with a given standard deviation; `None`: as all others."""

    def __init__(self, rows: int, width: int, std: float | None) -> None:
        super().__init__(rows, width)
        self.std = std

    def start(self) -> None:
        """New weights, unless the table has loaded ones."""
        if self.std is not None:
            init.trunc_normal_(self.weight, std=self.std)


class HeadLinear(nn.Linear):
    """A linear layer that starts with PyTorch's own weights.

    With BERT's 0.02 the answers stay uniform for the first few hundred steps.
    """

    def start(self) -> None:
        """New weights, unless the layer has loaded ones."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        bound = 1 / math.sqrt(self.in_features)
        init.uniform_(self.bias, -bound, bound)

"""Heads: what is read off the encoder's hidden states, in training and in use."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.activations import ACT2FN

from .configuration import KDVLPConfig
from .starts import HeadLinear


class AnswerHead(nn.Sequential):
    """Answers from the [CLS] token."""

    def __init__(self, config: KDVLPConfig) -> None:
        width = config.hidden_size
        super().__init__(HeadLinear(width, width), nn.GELU(), HeadLinear(width, config.num_labels))


class WordHead(nn.Module):
    """Masked language modelling: the vocabulary, through the transposed word table."""

    def __init__(self, config: KDVLPConfig) -> None:
        super().__init__()
        self.dense = HeadLinear(config.hidden_size, config.hidden_size)
        self.activation = ACT2FN[config.hidden_act]
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, hidden: Tensor, word_table: Tensor) -> Tensor:
        """Logits (..., word) of hidden states (..., width)."""
        return functional.linear(
            self.norm(self.activation(self.dense(hidden))), word_table, self.bias
        )


class LabelHead(nn.Linear):
    """Several labels at once, say shape, color and size: one linear layer, a slice for each."""

    def __init__(self, width: int, classes: Sequence[int]) -> None:
        super().__init__(width, sum(classes))
        self.ends = list(accumulate(classes))

    def labels(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Logits (..., class) of each label."""
        return torch.tensor_split(self(hidden), self.ends[:-1], dim=-1)


class AlignmentHead(nn.Module):
    """Phrase-region alignment: which of the cells shows what the phrase names."""

    def __init__(self, config: KDVLPConfig) -> None:
        super().__init__()
        self.phrase = nn.Linear(config.hidden_size, config.alignment_size)
        self.cell = nn.Linear(config.hidden_size, config.alignment_size)
        self.log_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, phrases: Tensor, cells: Tensor) -> Tensor:
        """Scaled cosines (phrase, cell) of phrases (phrase, width), cells (phrase, cell, width)."""
        phrases = functional.normalize(self.phrase(phrases).float(), dim=-1)
        cells = functional.normalize(self.cell(cells).float(), dim=-1)
        cosines = torch.einsum("pw,pcw->pc", phrases, cells)
        return cosines * self.log_scale.float().exp().clamp(max=50)

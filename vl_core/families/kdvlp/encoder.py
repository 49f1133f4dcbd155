"""The encoder: full attention over text and cells, by transformers' attention interface."""

import math

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .configuration import KDVLPConfig
from .starts import SpreadLinear


def eager_attention_forward(  # noqa: PLR0917 - the interface's arguments
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_kwargs: object,
) -> tuple[Tensor, Tensor]:
    """Attention written out, as in transformers; the mask is added to the scores.

    Query, key and value are (sequence, head, token, head size); returned are the output as
    (sequence, token, head, head size) and the weights (sequence, head, query, key).
    """
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = nn.functional.softmax(scores, dim=-1)
    weights = nn.functional.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


def shortcut_std(config: KDVLPConfig) -> float | None:
    """Spread of new weights that write beside a shortcut; where norms come first, it dominates."""
    if config.norm_order == "post":
        return None
    return 1.5 * config.initializer_range / math.sqrt(2 * config.num_hidden_layers)


class KDVLPAttention(nn.Module):
    """Multi-head self-attention."""

    is_causal = False  # sdpa takes a module without this attribute for a causal one

    def __init__(self, config: KDVLPConfig, layer_idx: int) -> None:
        super().__init__()
        if config.hidden_size % config.num_attention_heads:
            raise ValueError(
                f"hidden_size {config.hidden_size} is no multiple of num_attention_heads "
                f"{config.num_attention_heads}"
            )
        self.config = config
        self.layer_idx = layer_idx
        self.head_size = config.hidden_size // config.num_attention_heads
        self.scaling = self.head_size**-0.5
        width = config.hidden_size
        self.query = SpreadLinear(width, width, config.query_key_std)
        self.key = SpreadLinear(width, width, config.query_key_std)
        self.value = nn.Linear(width, width)
        self.output = SpreadLinear(width, width, shortcut_std(config))

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, **kwargs: object
    ) -> tuple[Tensor, Tensor | None]:
        """What the tokens take from each other, and the weights if the implementation has them."""
        batch = hidden_states.shape[:-1]
        query, key, value = (
            part(hidden_states).view(*batch, -1, self.head_size).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        interface = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation,  # noqa: SLF001 - transformers' own name for it
            eager_attention_forward,
        )
        dropout = self.config.attention_probs_dropout_prob if self.training else 0.0
        mixed, weights = interface(
            self, query, key, value, attention_mask, dropout=dropout, scaling=self.scaling, **kwargs
        )
        return self.output(mixed.reshape(*batch, -1).contiguous()), weights


class KDVLPLayer(nn.Module):
    """Attention, then a two-layer network, each around a shortcut, normed before or after."""

    def __init__(self, config: KDVLPConfig, layer_idx: int) -> None:
        super().__init__()
        self.norm_first = config.norm_order == "pre"
        self.attention = KDVLPAttention(config, layer_idx)
        self.attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation = ACT2FN[config.hidden_act]
        self.down = SpreadLinear(config.intermediate_size, config.hidden_size, shortcut_std(config))
        self.feedforward_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def feedforward(self, x: Tensor) -> Tensor:
        """Each token by itself."""
        return self.down(self.activation(self.up(x)))

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, **kwargs: object
    ) -> Tensor:
        """The next layer's hidden states."""
        x = hidden_states
        if self.norm_first:
            x = x + self.dropout(
                self.attention(self.attention_norm(x), attention_mask, **kwargs)[0]
            )
            return x + self.dropout(self.feedforward(self.feedforward_norm(x)))
        x = self.attention_norm(x + self.dropout(self.attention(x, attention_mask, **kwargs)[0]))
        return self.feedforward_norm(x + self.dropout(self.feedforward(x)))


class KDVLPEncoder(nn.Module):
    """The layers, and the norm that a pre-norm encoder ends with."""

    def __init__(self, config: KDVLPConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            KDVLPLayer(config, index) for index in range(config.num_hidden_layers)
        )
        is_pre_norm = config.norm_order == "pre"
        self.norm = (
            nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
            if is_pre_norm
            else nn.Identity()
        )

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, **kwargs: object
    ) -> Tensor:
        """The last hidden states, normed."""
        for layer in self.layers:
            hidden_states = layer(hidden_states, attention_mask, **kwargs)
        return self.norm(hidden_states)

"""The encoder against a plain re-implementation."""

import math

import pytest
import torch
from torch.nn import functional

from tests.families.kdvlp.small import small_config, small_model
from vl_core.families.kdvlp.encoder import KDVLPAttention


def plain_attention(attention, x):
    """Multi-head attention, one head and one query at a time."""
    size = attention.head_size
    query, key, value = (part(x) for part in (attention.query, attention.key, attention.value))
    mixed = torch.zeros_like(x)
    for head in range(x.shape[-1] // size):
        columns = slice(head * size, (head + 1) * size)
        for place in range(len(x)):
            scores = torch.stack([query[place, columns] @ k for k in key[:, columns]])
            weights = torch.softmax(scores / math.sqrt(size), dim=0)
            mixed[place, columns] = weights @ value[:, columns]
    return attention.output(mixed)


def plain_layer(layer, x, norm_order):
    """Attention and network with their norms before or after."""

    def network(y):
        return layer.down(functional.gelu(layer.up(y), approximate="tanh"))

    if norm_order == "pre":
        x = x + plain_attention(layer.attention, layer.attention_norm(x))
        return x + network(layer.feedforward_norm(x))
    x = layer.attention_norm(x + plain_attention(layer.attention, x))
    return layer.feedforward_norm(x + network(x))


@pytest.mark.parametrize("norm_order", ["pre", "post"])
def test_layer_does_what_its_definition_says(norm_order):
    """Heads, scaling, shortcuts and norm order follow the plain version."""
    layer = small_model(norm_order=norm_order).kdvlp.encoder.layers[2]
    x = torch.randn(1, 9, 24)

    torch.testing.assert_close(layer(x)[0], plain_layer(layer, x[0], norm_order))


def test_heads_must_divide_the_width():
    """A width that does not divide into the heads is refused when the model is built."""
    with pytest.raises(ValueError, match="no multiple"):
        KDVLPAttention(small_config(num_attention_heads=7), 0)


def test_new_weights_attend_unevenly():
    """Queries and keys start at their own spread, not at 0.02, at which attention is uniform."""
    torch.manual_seed(0)
    layer = small_model().kdvlp.encoder.layers[0].attention

    assert layer.query.weight.std().item() == pytest.approx(0.4, rel=0.1)
    assert layer.key.weight.std().item() == pytest.approx(0.4, rel=0.1)
    assert layer.value.weight.std().item() == pytest.approx(0.02, rel=0.1)

"""Attention of older models of transformers that multiply, softmax and multiply on their own.

Each forward here does the same through `interface.attention`; it has the parameters of the one
whose place it takes, and gives None for the weights.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import Cache, EncoderDecoderCache

from vl_core.capture.heads import Forward, Parts, attended, split


def _bert(
    module: Parts,
    hidden_states: Tensor,
    attention_mask: Tensor | None = None,
    output_attentions: bool = False,  # noqa: FBT001, FBT002
) -> tuple[Tensor | None, ...]:
    """Of ViLT, VisualBERT and FLAVA, which took it from BERT."""
    return _lxmert(module, hidden_states, hidden_states, attention_mask, output_attentions)


def _lxmert(
    module: Parts,
    hidden_states: Tensor,
    context: Tensor,
    attention_mask: Tensor | None = None,
    output_attentions: bool = False,  # noqa: FBT001, FBT002
) -> tuple[Tensor | None, ...]:
    query = split(module.query(hidden_states), module.attention_head_size)
    projected = query, *_keys_values(module, context)
    output = attended(module, projected, attention_mask, module.dropout.p)
    return (output, None) if output_attentions else (output,)


def _git(
    module: Parts,
    hidden_states: Tensor,
    attention_mask: Tensor | None = None,
    past_key_values: Cache | None = None,
    **_kwargs: Any,  # noqa: ANN401
) -> tuple[Tensor, None]:
    query = split(module.query(hidden_states), module.attention_head_size)
    key, value = _keys_values(module, hidden_states)
    if past_key_values is not None:
        key, value = past_key_values.update(key, value, module.layer_idx)
    return attended(module, (query, key, value), attention_mask, module.dropout.p), None


def _blip_text(
    module: Parts,
    hidden_states: Tensor,
    attention_mask: Tensor | None = None,
    encoder_hidden_states: Tensor | None = None,
    encoder_attention_mask: Tensor | None = None,
    past_key_values: Cache | None = None,
    **_kwargs: Any,  # noqa: ANN401
) -> tuple[Tensor, None]:
    query = split(module.query(hidden_states), module.attention_head_size)
    if encoder_hidden_states is None:
        mask = attention_mask
        key, value = _cached_keys_values(module, hidden_states, past_key_values, "self")
    else:
        mask = encoder_attention_mask
        key, value = _cached_keys_values(module, encoder_hidden_states, past_key_values, "cross")
    mask = mask if mask is None else mask.to(query.device)
    return attended(module, (query, key, value), mask, module.dropout.p), None


def _cached_keys_values(
    module: Parts, context: Tensor, cache: Cache | None, kind: str
) -> tuple[Tensor, Tensor]:
    """Keys and values of the context and of what came before; a picture's are made only once."""
    layer = module.layer_idx
    if not isinstance(cache, EncoderDecoderCache):
        key, value = _keys_values(module, context)
        return (key, value) if cache is None else cache.update(key, value, layer)
    if kind == "self":
        return cache.self_attention_cache.update(*_keys_values(module, context), layer)
    if cache.is_updated.get(layer):
        made = cache.cross_attention_cache.layers[layer]
        return made.keys, made.values
    cache.is_updated[layer] = True
    return cache.cross_attention_cache.update(*_keys_values(module, context), layer)


def _keys_values(module: Parts, context: Tensor) -> tuple[Tensor, Tensor]:
    dim = module.attention_head_size
    return split(module.key(context), dim), split(module.value(context), dim)


def _blip_vision(
    module: Parts,
    hidden_states: Tensor,
    **_kwargs: Any,  # noqa: ANN401
) -> tuple[Tensor, None]:
    parts = module.qkv(hidden_states).chunk(3, dim=-1)
    query, key, value = (split(part, module.head_dim) for part in parts)
    output = attended(module, (query, key, value), None, module.dropout.p)
    return module.projection(output), None


_MODELS = "transformers.models"
FORWARDS: Mapping[str, Forward] = {
    f"{_MODELS}.vilt.modeling_vilt.ViltSelfAttention": _bert,
    f"{_MODELS}.visual_bert.modeling_visual_bert.VisualBertSelfAttention": _bert,
    f"{_MODELS}.flava.modeling_flava.FlavaSelfAttention": _bert,
    f"{_MODELS}.lxmert.modeling_lxmert.LxmertAttention": _lxmert,
    f"{_MODELS}.blip.modeling_blip_text.BlipTextSelfAttention": _blip_text,
    f"{_MODELS}.blip.modeling_blip.BlipAttention": _blip_vision,
    f"{_MODELS}.git.modeling_git.GitSelfAttention": _git,
}

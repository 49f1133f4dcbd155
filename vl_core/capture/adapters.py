"""Modules that compute attention by themselves, brought to ask the captured function instead.

transformers' interface reaches only what asks for it. Older models multiply, softmax and multiply
on their own, and torch has an attention module; each instance of these gets a forward of ours that
does the same through `interface.attention`. Classes stay as they are.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import Cache, EncoderDecoderCache, PreTrainedModel

from vl_core.capture.interface import NAME, attention
from vl_core.errors import ModelError

# A module by the names of its parts, which torch knows as Tensor or Module and never as a layer.
Parts = Any
Projected = tuple[Tensor, Tensor, Tensor]  # query, key and value, each (batch, head, token, dim)


def attach(model: PreTrainedModel) -> None:
    """Make all attention of the model ask the captured function, for good.

    A model of which none can be brought to that stays as it is: it is overheard while it runs. What
    a model computes in yet another way is found by `measured_at_load`, which counts.
    """
    adapt(model)
    if _asks_the_interface(model):
        model.set_attn_implementation(NAME)


def is_reached(model: PreTrainedModel) -> bool:
    """Whether any of its attention asks the captured function, once it is attached."""
    return _asks_the_interface(model) or any(_kind(one) in _FORWARDS for one in model.modules())


def _asks_the_interface(model: nn.Module) -> bool:
    """Whether any part of it does; the others accept any name of an implementation, for nothing."""
    return any(
        part._can_set_attn_implementation()  # noqa: SLF001 transformers has no public name for it
        for part in model.modules()
        if isinstance(part, PreTrainedModel)
    )


def adapt(model: nn.Module) -> int:
    """Give each module that computes attention by itself our forward; returns how many have it.

    Raises ModelError for one that does what is not known here. Doing it twice does it once.
    """
    found = [module for module in model.modules() if _kind(module) in _FORWARDS]
    for module in found:
        _refuse_unknown(module)
        # Unlike a method of ours, this is copied and pickled together with its module.
        setattr(module, _slot(module), partial(_FORWARDS[_kind(module)], module))
    return len(found)


def release(model: nn.Module) -> None:
    """Give each adapted module its own forward back, for a comparison."""
    for module in model.modules():
        current = vars(module).get(_slot(module))
        if isinstance(current, partial) and current.func in _FORWARDS.values():
            setattr(module, _slot(module), MethodType(type(module).forward, module))


def _kind(module: nn.Module) -> str:
    """The full name of its class: other libraries have classes of the same short name."""
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _slot(module: nn.Module) -> str:
    """Where its forward stands: accelerate puts another before it, which moves the weights."""
    return "_old_forward" if hasattr(module, "_hf_hook") else "forward"


def _refuse_unknown(module: nn.Module) -> None:
    if isinstance(module, nn.MultiheadAttention) and (
        module.in_proj_weight is None or module.bias_k is not None or module.add_zero_attn
    ):
        raise ModelError(
            "An nn.MultiheadAttention whose keys or values have a width of their own (kdim, vdim) "
            "or which adds keys that are no tokens (add_bias_kv, add_zero_attn) cannot be "
            "captured. Choose another model."
        )


def _heads(states: Tensor, dim: int) -> Tensor:
    """From (batch, token, width) to (batch, head, token, dim)."""
    return states.view(*states.shape[:-1], -1, dim).transpose(1, 2)


def _attended(module: Parts, projected: Projected, mask: Tensor | None, rate: float) -> Tensor:
    """What the heads give, side by side: (batch, query, width). rate: of dropout in training."""
    dropout = rate if module.training else 0.0
    output, _ = attention(module, *projected, mask, dropout=dropout)
    return output.flatten(2)


# Each forward has the parameters of the one whose place it takes, and gives None for the weights.


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
    query = _heads(module.query(hidden_states), module.attention_head_size)
    projected = query, *_keys_values(module, context)
    output = _attended(module, projected, attention_mask, module.dropout.p)
    return (output, None) if output_attentions else (output,)


def _git(
    module: Parts,
    hidden_states: Tensor,
    attention_mask: Tensor | None = None,
    past_key_values: Cache | None = None,
    **_kwargs: Any,  # noqa: ANN401
) -> tuple[Tensor, None]:
    query = _heads(module.query(hidden_states), module.attention_head_size)
    key, value = _keys_values(module, hidden_states)
    if past_key_values is not None:
        key, value = past_key_values.update(key, value, module.layer_idx)
    return _attended(module, (query, key, value), attention_mask, module.dropout.p), None


def _blip_text(
    module: Parts,
    hidden_states: Tensor,
    attention_mask: Tensor | None = None,
    encoder_hidden_states: Tensor | None = None,
    encoder_attention_mask: Tensor | None = None,
    past_key_values: Cache | None = None,
    **_kwargs: Any,  # noqa: ANN401
) -> tuple[Tensor, None]:
    query = _heads(module.query(hidden_states), module.attention_head_size)
    if encoder_hidden_states is None:
        mask = attention_mask
        key, value = _cached_keys_values(module, hidden_states, past_key_values, "self")
    else:
        mask = encoder_attention_mask
        key, value = _cached_keys_values(module, encoder_hidden_states, past_key_values, "cross")
    mask = mask if mask is None else mask.to(query.device)
    return _attended(module, (query, key, value), mask, module.dropout.p), None


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
    return _heads(module.key(context), dim), _heads(module.value(context), dim)


def _blip_vision(
    module: Parts,
    hidden_states: Tensor,
    **_kwargs: Any,  # noqa: ANN401
) -> tuple[Tensor, None]:
    parts = module.qkv(hidden_states).chunk(3, dim=-1)
    query, key, value = (_heads(part, module.head_dim) for part in parts)
    output = _attended(module, (query, key, value), None, module.dropout.p)
    return module.projection(output), None


def _torch(  # noqa: PLR0917 the signature is torch's
    module: Parts,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,  # noqa: ARG001, FBT001, FBT002
    attn_mask: Tensor | None = None,
    average_attn_weights: bool = True,  # noqa: ARG001, FBT001, FBT002
    is_causal: bool = False,  # noqa: ARG001, FBT001, FBT002 says only what attn_mask is
) -> tuple[Tensor, None]:
    if query.dim() != 3:
        raise ModelError(
            f"nn.MultiheadAttention was called on states of shape {tuple(query.shape)}, wanted a "
            "batch of sequences. Choose another model."
        )
    states = query, key, value
    if not module.batch_first:
        states = query.transpose(0, 1), key.transpose(0, 1), value.transpose(0, 1)
    weights, biases = module.in_proj_weight.chunk(3), (None, None, None)
    if module.in_proj_bias is not None:
        biases = module.in_proj_bias.chunk(3)
    query, key, value = (
        _heads(linear(*each), module.head_dim) for each in zip(states, weights, biases, strict=True)
    )
    mask = _torch_mask(attn_mask, key_padding_mask, query)
    output = module.out_proj(_attended(module, (query, key, value), mask, module.dropout))
    return output if module.batch_first else output.transpose(0, 1), None


def _torch_mask(mask: Tensor | None, padding: Tensor | None, query: Tensor) -> Tensor | None:
    """Both masks in one that is added to (batch, head, query, key); in theirs, True hides."""
    if padding is not None:
        padding = padding[:, None, None]
    if mask is not None:
        # One table for all, or one for each head of each sequence.
        shape = (len(query), -1) if mask.dim() == 3 else (1, 1)
        mask = mask.reshape(*shape, *mask.shape[-2:])
    added = [
        torch.zeros_like(each, dtype=query.dtype).masked_fill(each, -torch.inf)
        if each.dtype == torch.bool
        else each
        for each in (mask, padding)
        if each is not None
    ]
    return sum(added[1:], start=added[0]) if added else None


_MODELS = "transformers.models"
_FORWARDS: Mapping[str, Callable[..., tuple[Tensor | None, ...]]] = {
    f"{_MODELS}.vilt.modeling_vilt.ViltSelfAttention": _bert,
    f"{_MODELS}.visual_bert.modeling_visual_bert.VisualBertSelfAttention": _bert,
    f"{_MODELS}.flava.modeling_flava.FlavaSelfAttention": _bert,
    f"{_MODELS}.lxmert.modeling_lxmert.LxmertAttention": _lxmert,
    f"{_MODELS}.blip.modeling_blip_text.BlipTextSelfAttention": _blip_text,
    f"{_MODELS}.blip.modeling_blip.BlipAttention": _blip_vision,
    f"{_MODELS}.git.modeling_git.GitSelfAttention": _git,
    "torch.nn.modules.activation.MultiheadAttention": _torch,
}

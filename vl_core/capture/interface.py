"""The attention function and the mask function that a captured model runs with.

Both stand in transformers' registries under one name. The function behaves exactly like the
model's own eager attention and runs at the speed of sdpa; who listens, and who changes what it
does, is told by context variables, so nothing on the model is switched for a run and threads do
not hear each other.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, eager_mask, sdpa_mask

from vl_core.capture import edits
from vl_core.capture.recorder import ACTIVE, Call
from vl_core.errors import ModelError

NAME = "vl_capture"
_CAUSAL = "_is_purely_causal"  # set on masks that hide what comes later and nothing else


def attention(  # noqa: PLR0913 the signature is transformers'
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    position_bias: Tensor | None = None,
    s_aux: Tensor | None = None,
    **_kwargs: Any,  # noqa: ANN401 whatever else the model tells its attention
) -> tuple[Tensor, None]:
    """Attention as the model's eager code computes it: (batch, query, head, dim), no weights.

    query: (batch, head, query, dim); key and value may have fewer heads. A mask of None means no
    mask: `module.is_causal` is never asked, since it is wrong on some models.
    """
    if s_aux is not None:
        raise ModelError(
            f"{type(module).__name__} uses attention sinks (s_aux), which are not captured: the "
            "weights of a row would not sum to one. Choose another model."
        )
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    mask = _with_bias(attention_mask, position_bias)
    is_causal = getattr(mask, _CAUSAL, False)
    parts = edits.ACTIVE.get()
    if softcap is None and not edits.want_weights(parts):
        output, _ = sdpa_attention_forward(
            module,
            query,
            key,
            value,
            None if is_causal else mask,
            dropout=dropout,
            scaling=scaling,
            is_causal=is_causal,
        )
    else:
        weights = _weights(query, key, mask, scaling, softcap)
        edits.keep(parts, module, weights)
        value_of_head = repeat_kv(value, query.shape[1] // value.shape[1])
        output = torch.matmul(weights, value_of_head).transpose(1, 2).contiguous()
    output = edits.edited(parts, module, output)
    recorder = ACTIVE.get()
    if recorder is not None:
        made_of = attention_mask, position_bias
        recorder.add(Call(module, query, key, value, mask, made_of, output, scaling, softcap))
    return output, None


def _with_bias(mask: Tensor | None, bias: Tensor | None) -> Tensor | None:
    if bias is None or mask is None:
        return mask if bias is None else bias
    if mask.dtype == torch.bool:
        return bias.masked_fill(~mask, torch.finfo(bias.dtype).min)
    return bias + mask


def _weights(
    query: Tensor, key: Tensor, mask: Tensor | None, scaling: float, softcap: float | None
) -> Tensor:
    """Attention weights written out: for models that bend their scores, and for gradients."""
    key = repeat_kv(key, query.shape[1] // key.shape[1])
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    is_hidden = ~mask if mask is not None and mask.dtype == torch.bool else None
    if is_hidden is not None:
        scores = scores.masked_fill(is_hidden, torch.finfo(scores.dtype).min)
    elif mask is not None:
        scores = scores + mask
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    # A row with all keys hidden is empty, as sdpa has it.
    return weights if is_hidden is None else weights.masked_fill(is_hidden, 0)


def mask_function(
    *args: Any,  # noqa: ANN401 the signature is transformers'
    allow_is_causal_skip: bool = False,
    **kwargs: Any,  # noqa: ANN401
) -> Tensor | None:
    """The additive mask of eager attention, marked when it is causal and nothing else.

    Without a mask function of its own an implementation gets no mask at all from transformers;
    boolean masks would be added as 0 and 1 by eager modules that share the model's configuration.
    The mark lets a decoder skip the half of the work that is hidden.
    """
    mask: Tensor | None = eager_mask(*args, **kwargs)
    if mask is None or not allow_is_causal_skip or mask.shape[-1] != mask.shape[-2]:
        return mask
    if sdpa_mask(*args, allow_is_causal_skip=True, **kwargs) is None:
        setattr(mask, _CAUSAL, True)
    return mask


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, mask_function)

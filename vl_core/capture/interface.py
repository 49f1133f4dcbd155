"""The attention function and the mask function that a captured model runs with.

Both stand in transformers' registries under one name. The function behaves exactly like the
model's own eager attention and runs at the speed of sdpa; who listens, and who changes what it
does, is told by context variables, so nothing on the model is switched for a run and threads do
not hear each other.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, eager_mask, sdpa_mask

from vl_core.capture import edits, rules
from vl_core.capture.recorder import ACTIVE, Call
from vl_core.capture.rules import Rule, RuleMask, rule_of
from vl_core.errors import ModelError
from vl_core.row_slices import slices

NAME = "vl_capture"

Projected = tuple[Tensor, Tensor, Tensor]  # query, key and value, each (batch, head, token, dim)


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
    rule, parts = rule_of(mask), edits.ACTIVE.get()
    if edits.want_weights(parts):
        key_of_head, value_of_head = _repeated(query, key, value)
        weights = _weights(query, key_of_head, mask, scaling, softcap)
        edits.keep(parts, module, weights)
        output = torch.matmul(weights, value_of_head).transpose(1, 2).contiguous()
    elif softcap is not None:
        output = _bent((query, key, value), mask, scaling, softcap)
    elif rule is not None and not rule.is_causal:
        output = _in_pieces((query, key, value), rule, dropout, scaling)
    else:
        is_causal = rule is not None
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


def _repeated(query: Tensor, *shared: Tensor) -> tuple[Tensor, ...]:
    """Keys and values, which heads may share, once for each head."""
    return tuple(repeat_kv(one, query.shape[1] // one.shape[1]) for one in shared)


def _in_pieces(projected: Projected, rule: Rule, dropout: float, scaling: float) -> Tensor:
    """Attention under a mask whose table would be too large to be made at once."""
    query, *shared = projected
    key, value = _repeated(query, *shared)
    outputs = []
    for rows, keys in rule.pieces:
        some = query[:, :, rows], key[:, :, keys], value[:, :, keys]
        mask = rule.added(rows, keys).to(query.device)
        output = scaled_dot_product_attention(
            *some, attn_mask=mask, dropout_p=dropout, scale=scaling
        )
        outputs.append(output.transpose(1, 2))
    return torch.cat(outputs, dim=1)


def _bent(projected: Projected, mask: Tensor | None, scaling: float, softcap: float) -> Tensor:
    """Attention of models that bend their scores, which sdpa cannot; a block of rows at a time."""
    query, *shared = projected
    key, value = _repeated(query, *shared)
    row_bytes = query.element_size() * key.shape[2] * query.shape[:2].numel()
    outputs = []
    for rows in slices(query.shape[2], rules.BLOCK_BYTES // row_bytes):
        weights = _weights(query[:, :, rows], key, _rows_of(mask, rows), scaling, softcap)
        outputs.append(torch.matmul(weights, value).transpose(1, 2))
    return torch.cat(outputs, dim=1)


def _rows_of(mask: Tensor | None, rows: slice) -> Tensor | None:
    rule = rule_of(mask)
    if rule is not None and mask is not None:
        return rule.added(rows).to(mask.device)
    return mask if mask is None or mask.shape[2] == 1 else mask[:, :, rows]


def _weights(
    query: Tensor, key: Tensor, mask: Tensor | None, scaling: float, softcap: float | None
) -> Tensor:
    """Attention weights written out: for models that bend their scores, and for gradients."""
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
    *,
    allow_is_causal_skip: bool = False,
    allow_is_bidirectional_skip: bool = False,
    **options: Any,  # noqa: ANN401 the signature is transformers'
) -> Tensor | None:
    """The additive mask of eager attention; a large one, and one that is purely causal, as a rule.

    Without a mask function of its own an implementation gets no mask at all from transformers;
    boolean masks would be added as 0 and 1 by eager modules that share the model's configuration.
    That it is causal lets a decoder skip the half of the work that is hidden.
    """
    if _may_be_skipped(options, allow_is_bidirectional_skip=allow_is_bidirectional_skip):
        return None
    is_square = options["q_length"] == options["kv_length"]
    may_skip = allow_is_causal_skip and is_square
    is_causal = may_skip and _may_be_skipped(options, allow_is_causal_skip=True)
    rule = Rule({"q_offset": 0, "kv_offset": 0, **options}, is_causal)
    if rule.is_causal or rule.n_bytes > rules.BLOCK_BYTES:
        return RuleMask.of(rule, options["device"])
    table: Tensor = eager_mask(**options)
    return table


def _may_be_skipped(options: Mapping[str, Any], **allowed: bool) -> bool:
    """Whether transformers would leave the mask to torch, or out; no table is made for that."""
    allowed = {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False} | allowed
    asked = {**options, "mask_function": _everything, "use_vmap": False, **allowed}
    return sdpa_mask(**asked) is None


def _everything(_batch: Tensor, _head: Tensor, query: Tensor, _key: Tensor) -> Tensor:
    return query.new_ones((1, 1, 1, 1), dtype=torch.bool)


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, mask_function)

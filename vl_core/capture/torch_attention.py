"""torch's own attention module, nn.MultiheadAttention, through the captured function."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vl_core.capture.heads import Forward, Parts, attended, split
from vl_core.capture.packed import in_projection_packed
from vl_core.errors import ModelError


def refuse_unknown(module: nn.Module) -> None:
    """Raise ModelError for such a module whose keys are not those that would be shown."""
    if isinstance(module, nn.MultiheadAttention) and (
        module.in_proj_weight is None or module.bias_k is not None or module.add_zero_attn
    ):
        raise ModelError(
            "An nn.MultiheadAttention whose keys or values have a width of their own (kdim, vdim) "
            "or which adds keys that are no tokens (add_bias_kv, add_zero_attn) cannot be "
            "captured. Choose another model."
        )


def _forward(  # noqa: PLR0917 the signature is torch's
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
    if module.batch_first:
        states = query.transpose(0, 1), key.transpose(0, 1), value.transpose(0, 1)
    # Tokens first, as torch has them: in half precision another layout differs in the last digit.
    projected = in_projection_packed(*states, module.in_proj_weight, module.in_proj_bias)
    query, key, value = (split(each.transpose(0, 1), module.head_dim) for each in projected)
    mask = _mask(attn_mask, key_padding_mask, query)
    output = module.out_proj(attended(module, (query, key, value), mask, module.dropout))
    return output if module.batch_first else output.transpose(0, 1), None


def _mask(mask: Tensor | None, padding: Tensor | None, query: Tensor) -> Tensor | None:
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


FORWARDS: Mapping[str, Forward] = {"torch.nn.modules.activation.MultiheadAttention": _forward}

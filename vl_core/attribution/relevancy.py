"""Which tokens an answer was read off: attention of all layers, weighted by its gradients.

Source: Chefer, Gur and Wolf 2021, "Generic Attention-model Explainability for Interpreting
Bi-Modal and Encoder-Decoder Transformers", the rules of self-attention.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from transformers import BatchFeature

from vl_core import capture
from vl_core.attribution.self_attention import SelfAttention
from vl_core.errors import ModelError
from vl_core.example import Example
from vl_core.head_stats.tables import class_token
from vl_core.model import Model


@dataclass(frozen=True, eq=False)
class Relevancy:
    """How much each token of a stream counts for an answer rather than for the next best one.

    row: one number for each token, none below 0, in no unit: compare tokens of one row only. The
    class token holds the 1 that it starts with besides. runner_up: None for a model of one answer.
    """

    stream: str
    row: Float[np.ndarray, "token"]
    answer: str
    runner_up: str | None


def relevancy(model: Model, example: Example) -> Relevancy:
    """The relevancy of each token for the class token, from which the answer is read.

    R = I; from the first layer to the last R += mean over heads of max(A * dA, 0) @ R, where dA is
    the gradient of the winning answer's logit minus the runner-up's. Raises ModelError for a model
    without exactly one stack of self-attention, whose attention can only be overheard, or whose
    answer is read off another token, and TextError or ImageError for an example that it cannot
    read.
    """
    stack = SelfAttention.of(model)
    # Tensors made in inference mode, the inputs included, can have no gradients.
    with torch.inference_mode(mode=False), torch.enable_grad():
        inputs, tokens = stack.read(example)
        summary = class_token(tokens)
        if not len(summary):
            raise ModelError(f"{model.model_id} has no class token that its answer is read off.")
        weights, gradients, outputs = _differentiated(stack, inputs)
        if _is_read_elsewhere(gradients[-1], int(summary[0])):
            raise ModelError(
                f"{model.model_id} reads its answer off another token than its class token, whose "
                "row says nothing about it."
            )
        names = [name for name, _ in model.family.prediction(example, inputs, outputs).top]
    row = _propagated(weights, gradients)[summary[0]].cpu().numpy()
    return Relevancy(stack.stream, row, names[0], names[1] if len(names) > 1 else None)


def _differentiated(
    stack: SelfAttention, inputs: BatchFeature
) -> tuple[list[Tensor], list[Tensor], Mapping[str, Any]]:
    """For each layer its weights and their gradients (head x query x key), and the outputs."""
    family = stack.model.family
    with capture.differentiable(family.model, stack.modules) as kept:
        outputs = stack.run(inputs)
    logits = family.answer_logits(outputs)[0]
    first = logits.topk(min(2, len(logits))).values
    weights = [kept[name][0] for name in stack.modules]
    # Not backward: that would leave gradients on parameters which other threads share.
    gradients = torch.autograd.grad(first[0] - first[1:].sum(), weights)
    return [one[0].detach() for one in weights], [one[0] for one in gradients], outputs


def _is_read_elsewhere(gradient: Float[Tensor, "head query key"], token: int) -> bool:
    """Whether the answer depends on what other queries than this one saw in the last layer."""
    per_query = gradient.abs().sum(dim=(0, 2))
    return bool(per_query.any() and not per_query[token])


def _propagated(
    weights: list[Tensor], gradients: list[Tensor]
) -> Float[Tensor, "token other_token"]:
    """What each token holds of each other one after all layers."""
    held = torch.eye(weights[0].shape[-1], device=weights[0].device, dtype=torch.float32)
    for weight, gradient in zip(weights, gradients, strict=True):
        held = held + (weight.float() * gradient.float()).clamp(min=0).mean(dim=0) @ held
    return held

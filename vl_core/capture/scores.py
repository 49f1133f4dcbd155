"""Attention scores of a model in half precision, worked out beside it in float32.

A score of 20 is rounded by up to 0.06 in bfloat16, and each weight with it by six per cent: what
eager attention gives then is no measure for weights that are right to the last digit. So the
model's own steps from queries and keys to scores are taken once more, in float32, on the same
queries and keys.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)

_BESIDE = "_vl_scores"  # where scores in half precision keep what float32 gives
_PRODUCTS = {"matmul", "bmm", "baddbmm", "einsum"}
# What models do to scores before the softmax, by torch's names without underscores.
_STEPS = {
    "add", "sub", "rsub", "mul", "div", "tanh", "clamp", "max", "maximum", "min", "minimum",
    "masked_fill", "where", "setitem", "getitem", "view", "reshape", "unsqueeze", "squeeze",
    "contiguous", "clone",
}  # fmt: skip
_CONVERSIONS = {"to", "type", "type_as", "float", "half", "bfloat16"}


def of(scores: Tensor) -> Tensor | None:
    """The same scores in float32; None for those that were not followed since their product."""
    found: Tensor | None = getattr(scores, _BESIDE, None)
    return found


def beside(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Tensor | None:
    """What this call of torch gives in float32, if it makes scores or changes them.

    Ask before the call itself is made, which may write into its arguments.
    """
    called = getattr(func, "__name__", "")
    name = called.strip("_")
    given = [*_tensors(args), *_tensors(kwargs.values())]
    followed = [one for one in given if of(one) is not None]
    if name in _CONVERSIONS and followed:
        return of(followed[0])
    is_product = name in _PRODUCTS and any(one.dtype in HALF for one in given)
    if not is_product and not (name in _STEPS and followed):
        return None
    if called in {"__setitem__", f"{name}_"} and of(args[0]) is None:
        return None  # it would write into a tensor of the model's own
    return func(*map(_float32, args), **{key: _float32(value) for key, value in kwargs.items()})


def keep(result: Any, exact: Tensor | None) -> None:  # noqa: ANN401 whatever torch gives
    """Let the result carry what float32 gives; none where it is no longer known."""
    if isinstance(result, Tensor) and (exact is not None or hasattr(result, _BESIDE)):
        setattr(result, _BESIDE, exact)


def _tensors(values: Any) -> list[Tensor]:  # noqa: ANN401 arguments of any call
    return [value for value in values if isinstance(value, Tensor)]


def _float32(value: Any) -> Any:  # noqa: ANN401 as above
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    found = of(value)
    return value.float() if found is None else found

"""Every attention matrix of a model that nobody changed, seen from outside: the oracle of capture.

It listens to torch itself and knows no architecture. Slow and greedy: for checks and small inputs.
In half precision it works the weights out in float32, from the queries and keys that the model
multiplies and by the steps that the model takes.
"""

import inspect
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from vl_core.capture import scores
from vl_core.capture.packed import in_projection_packed
from vl_core.capture.scores import HALF

# By the name of a module, (head, query, key) in float32 for each sequence of each call, in order.
Matrices = dict[str, list[Tensor]]
Hear = Callable[[str, Tensor], None]
_Arguments = dict[str, Any]


@contextmanager
def tapped(
    model: nn.Module, hear: Hear | None = None, *, exact: bool = False
) -> Iterator[Matrices]:
    """See the attention of this thread's runs of the model.

    `with tapped(model) as matrices: model(**inputs)`; a matrix belongs to the module in whose
    forward it was made. What is seen: each softmax over the last of four axes, which are taken for
    (batch, head, query, key); each scaled_dot_product_attention of four axes; each
    nn.MultiheadAttention. A softmax of fewer axes is none of attention (logits, experts).
    Nothing that the model computes is changed, and other threads may run it meanwhile.
    hear: told of the module's name and each matrix as it is made. Then none is kept; those of all
    layers may take many gigabytes. exact: let a model in half precision go on with the weights as
    float32 gives them, the one thing that does change what it computes: large scores are rounded by
    more than a wrong layer shows.
    """
    matrices: Matrices = {}

    def keep(name: str, matrix: Tensor) -> None:
        matrices.setdefault(name, []).append(matrix)

    place = Whereabouts(model)
    with ExitStack() as hooks:
        for module in model.modules():
            hooks.callback(module.register_forward_pre_hook(place.enter).remove)
            hooks.callback(module.register_forward_hook(place.leave, always_call=True).remove)
        with Tap(place, hear or keep, exact=exact):
            yield matrices


class Whereabouts:
    """Which module this thread is in; hooks of a module are called by all threads that run it."""

    def __init__(self, model: nn.Module) -> None:
        self._names = {module: name for name, module in model.named_modules()}
        self._thread = threading.get_ident()
        self._inside: list[nn.Module] = []

    def __contains__(self, module: nn.Module) -> bool:
        """Whether it is a module of this model."""
        return module in self._names

    def enter(self, module: nn.Module, _inputs: object) -> None:
        """The thread goes into this module; a forward pre-hook."""
        if threading.get_ident() == self._thread:
            self._inside.append(module)

    def leave(self, module: nn.Module, _inputs: object, _output: object) -> None:
        """It comes out again; a forward hook that is called whatever happened."""
        # Where another hook failed first, the module was never entered.
        if threading.get_ident() == self._thread and self._inside[-1:] == [module]:
            self._inside.pop()

    @property
    def name(self) -> str:
        """Of the innermost module, a softmax written as a module not counted."""
        whole = [module for module in self._inside if not isinstance(module, nn.Softmax)]
        return self._names[whole[-1]] if whole else ""


class Tap(TorchFunctionMode):
    """Stands between the model and torch; a mode is its thread's own.

    place: kept up to date by hooks of the model's modules. hear, exact: as in tapped. only: the
    names of the modules that are listened to; None for all.
    """

    def __init__(
        self,
        place: Whereabouts,
        hear: Hear,
        only: Collection[str] | None = None,
        *,
        exact: bool = False,
    ) -> None:
        super().__init__()
        self._place = place
        self._hear = hear
        self._only = only
        self._exact = exact

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        kwargs = kwargs or {}
        if self._only is not None and self._place.name not in self._only:
            return func(*args, **kwargs)
        exact = scores.beside(func, args, kwargs)
        result = func(*args, **kwargs)
        scores.keep(result, exact)
        weights_of = _WEIGHTS.get(func)
        weights = weights_of(result, args, kwargs) if weights_of else None
        for matrix in () if weights is None else weights.detach():
            self._hear(self._place.name, matrix.float())
        if self._exact and weights is not None:
            return _exact(func, result, weights, args, kwargs)
        return result


def _softmax(result: Tensor, args: tuple[Any, ...], kwargs: _Arguments) -> Tensor | None:
    axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if result.dim() != 4 or axis not in (-1, 3):
        return None
    exact = scores.of(args[0] if args else kwargs["input"])
    return result if exact is None else exact.softmax(dim=-1)


def _torch_attention(_result: Any, args: tuple[Any, ...], kwargs: _Arguments) -> Tensor:  # noqa: ANN401
    """nn.MultiheadAttention gives weights only when asked, and then the mean over heads."""
    given = inspect.signature(functional.multi_head_attention_forward).bind(*args, **kwargs)
    wanted = {**given.arguments, "need_weights": True, "average_attn_weights": False}
    if wanted["query"].dtype in HALF and wanted["in_proj_weight"] is not None:
        wanted = _projected(wanted)
    weights: Any = functional.multi_head_attention_forward(**wanted)[1]
    return weights if weights.dim() == 4 else weights[None]


def _exact(
    func: Callable[..., Any],
    result: Any,  # noqa: ANN401 whatever torch gives
    weights: Tensor,
    args: tuple[Any, ...],
    kwargs: _Arguments,
) -> Any:  # noqa: ANN401
    """What the call gives where no score is rounded on the way."""
    if isinstance(result, Tensor):
        return (
            result if func is functional.scaled_dot_product_attention else weights.to(result.dtype)
        )
    if result[0].dtype not in HALF:
        return result
    # Asked for no weights, torch's own attention is the fused one.
    given = inspect.signature(func).bind(*args, **kwargs).arguments
    return func(**{**given, "need_weights": False})


def _projected(given: _Arguments) -> _Arguments:
    """The same in float32, but for queries and keys, which come as half precision has them."""
    weight, bias = given["in_proj_weight"], given["in_proj_bias"]
    states = given["query"], given["key"], given["value"]
    query, key, _ = in_projection_packed(*states, weight, bias)
    made = {
        name: value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in given.items()
    }
    nothing = torch.eye(weight.shape[1], device=weight.device).repeat(3, 1)
    made |= {"query": query.float(), "key": key.float(), "value": key.float()}
    return made | {"in_proj_weight": nothing, "in_proj_bias": None}


def _sdpa(_result: Any, args: tuple[Any, ...], kwargs: _Arguments) -> Tensor | None:  # noqa: ANN401
    """The weights that torch's fused attention does not show."""
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
    given = dict(zip(names, args, strict=False)) | kwargs
    query, key = given["query"].float(), given["key"].float()
    if query.dim() != 4:
        return None
    key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
    scale, mask = given.get("scale"), given.get("attn_mask")
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    products = query @ key.transpose(2, 3) * scale
    if given.get("is_causal"):
        mask = torch.ones(products.shape[2:], dtype=torch.bool, device=products.device).tril()
    if mask is not None and mask.dtype == torch.bool:
        products = products.masked_fill(~mask, -torch.inf)
    elif mask is not None:
        products = products + mask
    return products.softmax(dim=-1).nan_to_num(0)  # as sdpa has it, a row without a key is empty


_WEIGHTS: Mapping[Any, Callable[[Any, tuple[Any, ...], _Arguments], Tensor | None]] = {
    torch.softmax: _softmax,
    torch.Tensor.softmax: _softmax,
    functional.softmax: _softmax,
    functional.multi_head_attention_forward: _torch_attention,
    functional.scaled_dot_product_attention: _sdpa,
}

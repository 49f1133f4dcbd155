"""Building models while others run, without what transformers changes for the whole process.

For as long as it builds a model, transformers makes the model's precision the default of torch in
all threads: another model that runs meanwhile would make numbers in it wherever it names none. It
also exchanges functions of torch and of its own, and puts back those it found: of two models that
are built at once, one could put back what the other had put there, for good.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from transformers import modeling_utils

_one_at_a_time = threading.Lock()
_MAKERS = frozenset(
    {
        torch.arange,
        torch.empty,
        torch.eye,
        torch.full,
        torch.linspace,
        torch.logspace,
        torch.ones,
        torch.rand,
        torch.randn,
        torch.tensor,
        torch.zeros,
    }
)


@contextmanager
def alone() -> Iterator[None]:
    """The only block in which a model is built; other threads keep torch's default precision.

    Meanwhile transformers' own switch is exchanged for one that holds in a single thread. Whoever
    wants to build another model waits; whoever runs one does not.
    """
    with _one_at_a_time:
        replaced = modeling_utils.local_torch_dtype
        modeling_utils.local_torch_dtype = _default_of_this_thread
        try:
            yield
        finally:
            modeling_utils.local_torch_dtype = replaced


@contextmanager
def _default_of_this_thread(dtype: torch.dtype, _class_name: str | None = None) -> Iterator[None]:
    with _Default(dtype):
        yield


class _Default(TorchFunctionMode):
    """What is made without a precision is made in this one; by this thread alone, as modes are."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        if func in _MAKERS and _has_default(made, args, kwargs):
            return made.to(self._dtype)
        return made


def _has_default(made: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether nobody said in which precision this was to be made, nor what it was made of."""
    is_said = kwargs.get("dtype") is not None or any(hasattr(arg, "dtype") for arg in args)
    return made.dtype == torch.get_default_dtype() and not is_said

"""Modules that compute attention by themselves, brought to ask the captured function instead.

transformers' interface reaches only what asks for it. Older models multiply, softmax and multiply
on their own (`legacy`), and torch has an attention module (`torch_attention`); each instance of
these gets a forward of ours that does the same through `interface.attention`. Classes stay as they
are.
"""

from collections.abc import Iterator
from functools import partial
from types import MethodType

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from vl_core.capture import legacy, torch_attention
from vl_core.capture.interface import NAME

_FORWARDS = {**legacy.FORWARDS, **torch_attention.FORWARDS}
_CAME_WITH = "_vl_came_with"  # stands on a model, and goes with it when it is copied


def attach(model: PreTrainedModel) -> None:
    """Make all attention of the model ask the captured function, for good.

    Modules that cannot be brought to that stay as they are, and are overheard while they run: which
    those are is found by `measured_at_load`.
    """
    adapt(model)
    if asks_the_interface(model):
        came_with = [(config, config._attn_implementation) for config in _configs(model)]  # noqa: SLF001 as below
        if all(name != NAME for _, name in came_with):
            setattr(model, _CAME_WITH, came_with)
        model.set_attn_implementation(NAME)


def detach(model: nn.Module) -> None:
    """Let the model run as it came: its own forwards, the implementations it had before `attach`.

    One that was never attached stays as it is.
    """
    release(model)
    for config, name in getattr(model, _CAME_WITH, ()):
        config._attn_implementation = name  # noqa: SLF001 as below


def _configs(model: nn.Module) -> Iterator[PreTrainedConfig]:
    """Those of all its parts, a whole before what is in it; some come twice."""
    for part in model.modules():
        if isinstance(part, PreTrainedModel):
            yield from _within(part.config)


def _within(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    yield config
    for name in config.sub_configs:
        inner = getattr(config, name, None)
        if inner is not None:
            yield from _within(inner)


def asks_the_interface(model: nn.Module) -> bool:
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
        torch_attention.refuse_unknown(module)
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

"""The layers of a stream by the name of their module list: where each looks, where states are."""

import re

from torch import nn

from vl_core.capture import Door, Place, doors_of


def doors(model: nn.Module, layers: str) -> tuple[Door, ...]:
    """Before the first layer of the module list of this name, and after each."""
    names = [name for name, _ in model.get_submodule(layers).named_children()]
    return doors_of([f"{layers}.{name}" for name in names])


def places(
    module_name: str, layers: str, attention: str, stream: str, looks_at: str = ""
) -> tuple[Place, ...]:
    """Where a module's attention belongs, if it is that of one of these layers; else none.

    attention: what it is called in each layer. looks_at: the other stream, for attention across.
    """
    pattern = rf"{re.escape(layers)}\.(\d+)\.{re.escape(attention)}"
    found = re.fullmatch(pattern, module_name)
    if found is None:
        return ()
    stack = f"{stream}<-{looks_at}" if looks_at else stream
    return (Place(stack, stream, looks_at or stream, int(found[1])),)

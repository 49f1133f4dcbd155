"""What modules gave on one run, given again on another: so each is fed the same on both.

In half precision two right ways to compute attention differ in the last digit of what they give,
and layer by layer these differences grow beyond what a wrong layer would show.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

Given = dict[nn.Module, list[Any]]  # what each call of it gave, in order


@contextmanager
def noting(modules: Sequence[nn.Module]) -> Iterator[Given]:
    """Note what each call of these modules gives, until the block ends."""
    given: Given = {}

    def note(module: nn.Module, _args: object, output: object) -> None:
        given.setdefault(module, []).append(_copied(output))

    with ExitStack() as hooks:
        for module in modules:
            hooks.callback(module.register_forward_hook(note).remove)
        yield given


@contextmanager
def repeating(given: Given) -> Iterator[None]:
    """Let each call give what was noted of it, whatever the module itself makes of its input."""
    left = {module: iter(outputs) for module, outputs in given.items()}

    def give(module: nn.Module, _args: object, own: object) -> object:
        return next(left[module], own)

    with ExitStack() as hooks:
        for module in given:
            hooks.callback(module.register_forward_hook(give).remove)
        yield


def _copied(output: Any) -> Any:  # noqa: ANN401 whatever a module gives
    """A copy, since models add to their states in place."""
    if isinstance(output, Tensor):
        return output.clone()
    return tuple(map(_copied, output)) if isinstance(output, tuple) else output

"""What modules gave on one run, given again on another: so each is fed the same on both.

Then what a module gives on one can be held against what it gives on the other. Without, two right
ways to compute attention, which differ in the last digit of what they give, drift apart layer by
layer: in half precision beyond what a wrong layer would show.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

Given = dict[nn.Module, list[Any]]  # what each call of it gave, in order
Compare = Callable[[nn.Module, Any, Any], None]  # what it gives itself, what is given in its place


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
def repeating(given: Given, compare: Compare = lambda *_: None) -> Iterator[None]:
    """Let each call give what was noted of it, whatever the module itself makes of its input.

    compare: told of both, each time.
    """
    left = {module: iter(outputs) for module, outputs in given.items()}

    def give(module: nn.Module, _args: object, own: object) -> object:
        for noted in left[module]:
            compare(module, own, noted)
            return _copied(noted)
        return own

    with ExitStack() as hooks:
        for module in given:
            hooks.callback(module.register_forward_hook(give).remove)
        yield


def _copied(output: Any) -> Any:  # noqa: ANN401 whatever a module gives
    """A copy, since models add to their states in place."""
    if isinstance(output, Tensor):
        return output.clone()
    return tuple(map(_copied, output)) if isinstance(output, tuple) else output

"""What stacks of attention are called on screen."""

from vl_core.trace import Stack, Trace


def called(stack: Stack) -> str:
    """The stream that looks, and which other one it looks at: "Language looking at vision"."""
    own_name = stack.query_stream if stack.is_self_attention else _across(stack, "<-")
    if stack.name != own_name:  # one of several between these streams
        return stack.name
    name = stack.query_stream if stack.is_self_attention else _across(stack, " looking at ")
    return name[:1].upper() + name[1:]


def all_called(trace: Trace) -> dict[str, str]:
    """The name on screen of each stack, by its own name."""
    return {name: called(stack) for name, stack in trace.stacks.items()}


def own_stack(trace: Trace, stream: str) -> str | None:
    """The stack of a stream's attention on itself, else one in which it looks at another."""
    found = [name for name, stack in trace.stacks.items() if stack.query_stream == stream]
    on_itself = [name for name in found if trace.stacks[name].is_self_attention]
    return next(iter([*on_itself, *found]), None)


def _across(stack: Stack, between: str) -> str:
    return f"{stack.query_stream}{between}{stack.key_stream}"

"""What tells most of a trace, before anybody has chosen: a stack, a head, a word."""

import numpy as np

from vl_core.head_stats.meaning import telling_statistic
from vl_core.trace import Stack, Trace


def telling_stack(trace: Trace) -> str:
    """The first stack in which words can look at the picture, else the first."""
    found = [
        name
        for name, stack in trace.stacks.items()
        if stack.queries.is_text.any() and stack.keys.is_image.any()
    ]
    return next(iter([*found, *trace.stacks]))


def telling_head(stack: Stack) -> tuple[int, int]:
    """The head that grounds words best where boxes are known, else the one that tells most."""
    found = (highest_head(stack, key) for key in ("grounding", telling_statistic(stack).key))
    return next(filter(None, found), (0, 0))


def highest_head(stack: Stack, statistic: str) -> tuple[int, int] | None:
    """Layer and head in which a stored statistic is highest; None where it has no value."""
    values = stack.head_stats.get(statistic)
    if values is None or not np.isfinite(values).any():
        return None
    layer, head = np.unravel_index(np.nanargmax(values), values.shape)
    return int(layer), int(head)


def telling_tokens(stack: Stack) -> tuple[int, ...]:
    """The last word that names a region, else the last word: nouns come last.

    Where there are no words it is the patch in the middle, or whatever token comes first.
    """
    spans = [region.span for region in stack.regions if region.span]
    words = np.flatnonzero(stack.queries.is_text)
    named = [
        int(word)
        for word in words
        if any(start < stack.queries.spans[word, 1] <= end for start, end in spans)
    ]
    plain = [int(word) for word in words if any(map(str.isalnum, stack.queries.texts[word]))]
    patches = np.flatnonzero(stack.queries.is_image).tolist()
    return tuple((named or plain)[-1:] or patches[len(patches) // 2 :][:1] or [0])

"""Relative attention: what this question looks at, divided by what a neutral prompt looks at.

What is looked at whatever is asked (sinks, borders, what stands out) is about 1 there; what is
looked at for this question is more. Source: Zhang et al. 2025, "MLLMs Know Where to Look".
"""

from dataclasses import dataclass

import numpy as np

from vl_core.arrays import KeyMask
from vl_core.errors import ComparisonError, EmptySelectionError
from vl_core.sinks.exclusion import Row, mean_row
from vl_core.sinks.order import first_token
from vl_core.trace import Stack, TokenTable, Trace

NEUTRAL_PROMPT = "Write a general description of the image."
UNIT = "times the neutral prompt's"
DEFINITION = (
    "The attention on a patch for this question divided by that on the same patch for a neutral "
    f"prompt (“{NEUTRAL_PROMPT}”)."
)
SOURCE = "Zhang et al. 2025"
LEAST = 1e-3  # of the mean patch: with less for the neutral prompt, a ratio says nothing


@dataclass(frozen=True, eq=False)
class Relative:
    """Attention of one question over that of a neutral prompt.

    values: for each key in UNIT, nan for what is no patch and where the neutral prompt looks next
    to nowhere. own, neutral: what is divided, for each key. queries, neutral_queries: whose rows
    were averaged. is_last: whether these are the last positions of the prompts, which predict the
    first token of the answer; else they are all words.
    """

    values: Row
    own: Row
    neutral: Row
    queries: tuple[int, ...]
    neutral_queries: tuple[int, ...]
    is_last: bool


def relative_attention(
    trace: Trace, neutral: Trace, stack_name: str, layer: int | None, head: int | None
) -> Relative:
    """What the question of `trace` looks at, over what that of `neutral` looks at.

    Both are traces of one model and one picture, `neutral` with the question NEUTRAL_PROMPT. None
    is the mean over all layers, or all heads. Raises ComparisonError if the traces differ in more
    than the question, EmptySelectionError if nothing asks in this stack.
    """
    check_comparable(trace, neutral, stack_name)
    queries, is_last = asking(trace, stack_name)
    others, _ = asking(neutral, stack_name)
    stacks = trace.stacks[stack_name], neutral.stacks[stack_name]
    own = mean_row(stacks[0], layer, head, queries)
    placed = mean_row(stacks[1], layer, head, others)
    aligned = np.full(len(own), np.nan)
    aligned[stacks[0].keys.is_image] = placed[stacks[1].keys.is_image]
    values = ratio(own, aligned, stacks[0].keys.is_image)
    return Relative(values, own, aligned, queries, others, is_last)


def ratio(own: Row, neutral: Row, patches: KeyMask) -> Row:
    """The first row divided by the second on these patches; nan elsewhere.

    Also nan where the second has less than a thousandth of its mean over the patches: a ratio of
    next to nothing would outshine all others.
    """
    values = np.full(len(own), np.nan)
    if not patches.any():
        return values
    enough = patches & (neutral > max(0.0, LEAST * float(neutral[patches].mean())))
    return np.divide(own, neutral, out=values, where=enough)


def asking(trace: Trace, stack_name: str) -> tuple[tuple[int, ...], bool]:
    """Whose rows stand for the question, and whether it is the last position of the prompt.

    In a stream that is read in order, or that generates, the position that predicts the first token
    of the answer; else all words of the question. Raises EmptySelectionError if there are none.
    """
    stack = trace.stacks[stack_name]
    tokens = stack.queries
    given = np.flatnonzero(~tokens.is_padding & ~tokens.is_generated)
    if len(given) and _is_read_in_order(trace, stack):
        return (int(given[-1]),), True
    words = np.flatnonzero(tokens.is_text & ~tokens.is_generated)
    if not len(words):
        raise EmptySelectionError(
            f"No word looks in stack {stack_name}, so that no question does. Choose a stack in "
            "which words look at the picture."
        )
    return tuple(words.tolist()), False


def _is_read_in_order(trace: Trace, stack: Stack) -> bool:
    of_itself = (
        one
        for one in trace.stacks.values()
        if one.is_self_attention and one.query_stream == stack.query_stream
    )
    is_in_order = any(first_token(one) is not None for one in of_itself)
    return is_in_order or bool(stack.queries.is_generated.any())


def check_comparable(trace: Trace, neutral: Trace, stack_name: str) -> None:
    """Raise ComparisonError unless both are of one model and one picture, in the same patches."""
    for name in ("model_id", "weights_hash", "dtype"):
        came = [getattr(one.provenance, name) for one in (trace, neutral)]
        if came[0] != came[1]:
            raise ComparisonError(
                f"The two traces differ in their {name.replace('_', ' ')} ({came[0]} and "
                f"{came[1]}). Trace both questions with the same model."
            )
    if stack_name not in neutral.stacks:
        raise ComparisonError(
            f"The trace of the neutral prompt has no stack {stack_name}; it has "
            f"{', '.join(neutral.stacks)}."
        )
    one, other = trace.stacks[stack_name], neutral.stacks[stack_name]
    if (one.layers, one.n_heads) != (other.layers, other.n_heads):
        raise ComparisonError(
            f"The two traces have {one.n_layers} layers of {one.n_heads} heads and "
            f"{other.n_layers} of {other.n_heads}. Trace both questions with the same model."
        )
    _check_same_picture(trace, neutral)
    _check_same_patches(one.keys, other.keys)


def _check_same_picture(trace: Trace, neutral: Trace) -> None:
    seen = [one.example.image for one in (trace, neutral)]
    if seen[0] is None or seen[1] is None:
        raise ComparisonError(
            "A question without a picture has no attention to divide. Add a picture."
        )
    sizes = [one.example.original_size for one in (trace, neutral)]
    if sizes[0] != sizes[1] or not np.array_equal(np.asarray(seen[0]), np.asarray(seen[1])):
        raise ComparisonError(
            "The two traces are of different pictures. Ask the neutral prompt about the same one."
        )


def _check_same_patches(one: TokenTable, other: TokenTable) -> None:
    boxes = [table.boxes[table.is_image] for table in (one, other)]
    if len(boxes[0]) != len(boxes[1]):
        raise ComparisonError(
            f"The model cut the picture into {len(boxes[0])} patches for this question and into "
            f"{len(boxes[1])} for the neutral prompt, so that no patch has a counterpart."
        )
    if not len(boxes[0]):
        raise ComparisonError(
            "No patch is looked at in this stack. Choose a stack in which patches are."
        )
    if not np.allclose(boxes[0], boxes[1], atol=0.01, equal_nan=True):
        raise ComparisonError(
            "The model cut the picture into patches of other places for the neutral prompt, so "
            "that no patch has a counterpart."
        )

"""Two examples beside each other: what each head did, and where a word looked, in either.

The first is called A, the second B, and every difference is B minus A. What is found this way holds
for these two examples: nothing here tells a difference from chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from vl_core.arrays import HeadMap
from vl_core.errors import ComparisonError, EmptySelectionError
from vl_core.head_stats import HeadStatistic
from vl_core.matched_tokens import Pairs, matched_tokens
from vl_core.sinks.exclusion import Row, mean_row
from vl_core.token_attention import Direction, has_place, profile
from vl_core.trace import Stack, TokenTable, Trace


@dataclass(frozen=True, eq=False)
class InBoth:
    """The attention of the same words in A and in B: what they look at, or what looks at them.

    shares: of attention, on each token of A that is looked at, and on each of B; nan where the
    words look at nothing. Or the share of its own attention that each token of A gives to the
    words, and each of B. tokens: those that both have, by their positions in A beside those in B.
    """

    shares: tuple[Float[np.ndarray, "token_of_a"], Float[np.ndarray, "token_of_b"]]
    tokens: Pairs

    @property
    def common(self) -> tuple[Row, Row]:
        """The shares on, or of, the tokens that both have, in A and in B."""
        return self.shares[0][self.tokens[:, 0]], self.shares[1][self.tokens[:, 1]]

    @property
    def difference(self) -> Row:
        """B minus A for the tokens that both have, in shares of all attention (-1..1)."""
        one, other = self.common
        return other - one

    @property
    def elsewhere(self) -> tuple[float, float]:
        """The share on all tokens without a counterpart, in A and in B.

        Of rows only: what looks at the words gives shares of different rows, which have no sum.
        """
        one, other = (
            float(np.delete(row, self.tokens[:, side]).sum())
            for side, row in enumerate(self.shares)
        )
        return one, other


def head_differences(
    one: Trace, other: Trace, statistic: HeadStatistic, stack: str, *, with_specials: bool = True
) -> HeadMap:
    """The statistic of each head of this stack in B (`other`) minus that in A (`one`).

    In the statistic's unit; nan where either is missing. Raises ComparisonError as
    `check_comparable` does.
    """
    mine, its = heads_in_both(one, other, statistic, stack, with_specials=with_specials)
    return its - mine


def heads_in_both(
    one: Trace, other: Trace, statistic: HeadStatistic, stack: str, *, with_specials: bool = True
) -> tuple[HeadMap, HeadMap]:
    """The statistic of each head of this stack in A and in B; raises as `head_differences` does."""
    check_comparable(one, other, stack)
    mine, its = (statistic.of(trace.stacks[stack], with_specials) for trace in (one, other))
    return mine, its


def check_comparable(one: Trace, other: Trace, stack: str) -> None:
    """Raise ComparisonError unless each head of this stack has a counterpart in the other trace.

    Both must come from models of one family, with as many layers and heads. They need not be one
    model: `caution` says what to think of two checkpoints.
    """
    if one.provenance.family != other.provenance.family:
        raise ComparisonError(
            f"A was read by {one.provenance.model_id} and B by {other.provenance.model_id}, models "
            "of different kinds: no head of the one is a head of the other. Look at both examples "
            "with one model, or with two checkpoints of one architecture."
        )
    for letter, trace in (("A", one), ("B", other)):
        if stack not in trace.stacks:
            raise ComparisonError(
                f"{letter} has no attention called {stack}; it has {', '.join(trace.stacks)}. "
                "Choose one that both have."
            )
    mine, its = one.stacks[stack], other.stacks[stack]
    if (mine.layers, mine.n_heads) != (its.layers, its.n_heads):
        raise ComparisonError(
            f"A has {_shape(mine)} and B has {_shape(its)}, so that no head of the one is a head "
            "of the other. Look at both examples with one model, or with two checkpoints of the "
            "same shape."
        )


def _shape(stack: Stack) -> str:
    numbers = ", ".join(str(layer + 1) for layer in stack.layers)
    return f"{stack.n_heads} heads in each of the layers {numbers}"


def caution(one: Trace, other: Trace) -> str:
    """What to think of A and B where two checkpoints read them; nothing where it was one model."""
    mine, its = one.provenance, other.provenance
    is_told_by_weights = bool(mine.weights_hash or its.weights_hash)
    name = "weights_hash" if is_told_by_weights else "model_id"
    if getattr(mine, name) == getattr(its, name):
        return ""
    return (
        f"A was read by {mine.model_id} and B by {its.model_id}. Heads are compared by their "
        "numbers; they can only be expected to do the same work where one of these models was "
        "trained on from the other."
    )


def has_same_picture(one: Trace, other: Trace) -> bool:
    """Whether the model was shown the same pixels both times; not where there was no picture."""
    seen = one.example.image, other.example.image
    return None not in seen and np.array_equal(np.asarray(seen[0]), np.asarray(seen[1]))


def asked_and_answering(stack: Stack, direction: Direction) -> tuple[TokenTable, TokenTable]:
    """The tokens among which words are chosen, and those that their attention is told of.

    Queries and keys; the other way round where it is asked what looks at the words.
    """
    if direction == "looks_at":
        return stack.queries, stack.keys
    return stack.keys, stack.queries


def why_no_common_grid(
    one: Trace, other: Trace, stack: str, direction: Direction = "looks_at"
) -> str:
    """Why the patches of A and B cannot be laid over each other; nothing if they can.

    They are those that are looked at, or those that look. A stack in which neither has such a patch
    with a place has no grid at all, which is said too.
    """
    mine, its = one.example.original_size, other.example.original_size
    if mine is None or its is None:
        return f"{'A' if mine is None else 'B'} has no picture."
    if mine != its:
        said = (f"{width} × {height}" for width, height in (mine, its))
        return "A's picture has {} pixels and B's {}.".format(*said)
    tables = [asked_and_answering(trace.stacks[stack], direction)[1] for trace in (one, other)]
    counts = [int(has_place(tokens).sum()) for tokens in tables]
    if not any(counts):
        what = "that is looked at" if direction == "looks_at" else "that looks"
        return f"No token {what} here has a place in the picture."
    common = int(has_place(tables[0])[matched_tokens(*tables)[:, 0]].sum())
    if counts == [common, common]:
        return ""
    return (
        f"A's picture is cut into {counts[0]} patches and B's into {counts[1]}, of which {common} "
        "lie at the same places."
    )


def attention_in_both(
    one: Stack,
    other: Stack,
    words: Pairs,
    layer: int | None,
    head: int | None,
    direction: Direction = "looks_at",
) -> InBoth:
    """What the same words look at in A and in B, or what looks at them: the mean of their rows.

    Of their columns where it is asked what looks at them. words: their positions in A beside those
    in B. layer, head: None is the mean over all layers, or all heads. Rows that look at nothing do
    not count. Raises EmptySelectionError without a word.
    """
    if not len(words):
        raise EmptySelectionError("No word is chosen that both texts have; choose one of those.")
    mine, its = (
        _shares(stack, layer, head, some, direction)
        for stack, some in zip((one, other), words.T.tolist(), strict=True)
    )
    answering = (asked_and_answering(stack, direction)[1] for stack in (one, other))
    return InBoth((mine, its), matched_tokens(*answering))


def _shares(
    stack: Stack, layer: int | None, head: int | None, words: Sequence[int], direction: Direction
) -> Float64[np.ndarray, "token"]:
    """The mean of their rows, nan if all look at nothing, or the mean of their columns."""
    if direction == "looks_at":
        return mean_row(stack, layer, head, words)
    return profile(stack, layer, head, words, direction).astype(np.float64)

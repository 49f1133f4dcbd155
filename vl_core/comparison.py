"""Two examples beside each other: what each head did, and where a word looked, in either.

The first is called A, the second B, and every difference is B minus A. What is found this way holds
for these two examples: nothing here tells a difference from chance.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vl_core.arrays import HeadMap
from vl_core.errors import ComparisonError, EmptySelectionError
from vl_core.head_stats import HeadStatistic
from vl_core.matched_tokens import Pairs, matched_tokens
from vl_core.sinks.exclusion import Row, mean_row
from vl_core.token_attention import has_place
from vl_core.trace import Stack, Trace


@dataclass(frozen=True, eq=False)
class InBoth:
    """What the same words look at in A and in B.

    rows: the share of attention on each token of A, and on each of B; nan where the words look at
    nothing. keys: the tokens that both have, by their positions in A beside those in B.
    """

    rows: tuple[Float[np.ndarray, "key_of_a"], Float[np.ndarray, "key_of_b"]]
    keys: Pairs

    @property
    def common(self) -> tuple[Row, Row]:
        """The shares on the tokens that both have, in A and in B."""
        return self.rows[0][self.keys[:, 0]], self.rows[1][self.keys[:, 1]]

    @property
    def difference(self) -> Row:
        """B minus A on the tokens that both have, in shares of all attention (-1..1)."""
        one, other = self.common
        return other - one

    @property
    def elsewhere(self) -> tuple[float, float]:
        """The share on all tokens without a counterpart, in A and in B."""
        one, other = (
            float(np.delete(row, self.keys[:, side]).sum()) for side, row in enumerate(self.rows)
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


def why_no_common_grid(one: Trace, other: Trace, stack: str) -> str:
    """Why the patches of A and B cannot be laid over each other; nothing if they can.

    A stack in whose keys neither has a patch with a place has no grid at all, which is said too.
    """
    mine, its = one.example.original_size, other.example.original_size
    if mine is None or its is None:
        return f"{'A' if mine is None else 'B'} has no picture."
    if mine != its:
        said = (f"{width} × {height}" for width, height in (mine, its))
        return "A's picture has {} pixels and B's {}.".format(*said)
    keys = one.stacks[stack].keys, other.stacks[stack].keys
    counts = [int(has_place(tokens).sum()) for tokens in keys]
    if not any(counts):
        return "No token that is looked at here has a place in the picture."
    common = int(has_place(keys[0])[matched_tokens(*keys)[:, 0]].sum())
    if counts == [common, common]:
        return ""
    return (
        f"A's picture is cut into {counts[0]} patches and B's into {counts[1]}, of which {common} "
        "lie at the same places."
    )


def attention_in_both(
    one: Stack, other: Stack, rows: Pairs, layer: int | None, head: int | None
) -> InBoth:
    """What the same words look at in A and in B: the mean of their rows.

    rows: positions of the words in A beside those in B. layer, head: None is the mean over all
    layers, or all heads. Rows that look at nothing do not count. Raises EmptySelectionError without
    a word.
    """
    if not len(rows):
        raise EmptySelectionError("No word is chosen that both texts have; choose one of those.")
    mine = mean_row(one, layer, head, rows[:, 0].tolist())
    its = mean_row(other, layer, head, rows[:, 1].tolist())
    return InBoth((mine, its), matched_tokens(one.keys, other.keys))

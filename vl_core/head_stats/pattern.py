"""What a head does, named from its numbers.

A pattern is a rule about head statistics (with special tokens); of those that hold, the first in
the order of `PATTERNS` names the head. The rules describe where attention goes, not why, and
their thresholds are round numbers of ours: see the numbers themselves before relying on a name.

"Beyond uniform" is how much of the way from uniform attention to nothing else a head has gone:
(mass - uniform mass) / (1 - uniform mass). Unlike the lift it does not depend on how many tokens
there are: words that look uniformly at 60 patches already give them most of their attention, and
so does everybody to special tokens in a prompt with a hundred marks between its tiles.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from vl_core.arrays import HeadMap
from vl_core.head_stats.modalities import (
    IMAGE_TO_IMAGE_LIFT,
    IMAGE_TO_IMAGE_MASS,
    IMAGE_TO_TEXT_LIFT,
    IMAGE_TO_TEXT_MASS,
    SPECIAL_SHARE,
    TEXT_TO_IMAGE_LIFT,
    TEXT_TO_IMAGE_MASS,
    TEXT_TO_TEXT_LIFT,
    TEXT_TO_TEXT_MASS,
)
from vl_core.head_stats.places import DIAGONAL, PREVIOUS_TOKEN, REACH
from vl_core.head_stats.spread import ENTROPY
from vl_core.head_stats.statistic import HeadStatistic
from vl_core.trace import Stack
from vl_core.trace.nouns import common_noun
from vl_core.uniform import uniform_shares

Holds = Bool[np.ndarray, "layer head"]

ROUNDING = 1e-9  # of uniform attention, added up over its keys: beyond it nothing is left
REACH_ROWS = 256  # patches whose distances to all others are formed together


@dataclass(frozen=True)
class Pattern:
    """A name for what a head does.

    rule: the rule in words, for whoever reads the name. holds: for which heads of a stack it is
    met; a rule about a missing number is not.
    """

    name: str
    rule: str
    holds: Callable[[Stack], Holds]

    def named(self, stack: Stack) -> "Pattern":
        """The same, with what its name and rule call patches called what they are in this stack.

        For the eye: files have the name itself, which is one for all models.
        """
        called = common_noun(stack.queries, stack.keys).named
        return replace(self, name=called(self.name), rule=called(self.rule))


def patterns(stack: Stack) -> list[list[Pattern]]:
    """For each layer and head, the first pattern whose rule is met, or `MIXED`."""
    order = (*PATTERNS, MIXED)
    met = np.stack([pattern.holds(stack) for pattern in order])
    return [[order[first] for first in row] for row in met.argmax(axis=0)]


def beyond_uniform(mass: HeadMap, lift: HeadMap) -> HeadMap:
    """How far a head went from the uniform mass, which is mass / lift, towards all its attention.

    0 is uniform, 1 is all; negative below uniform. Missing where a head gives no mass at all or
    uniform attention could give none elsewhere.
    """
    return _beyond(mass, np.divide(mass, lift, out=np.full(mass.shape, np.nan), where=lift > 0))


def special_beyond_uniform(stack: Stack) -> HeadMap:
    """As `beyond_uniform`, of the attention that words and patches give to special tokens.

    The uniform mass is read off the masks.
    """
    content = stack.queries.is_text | stack.queries.is_image
    uniform = uniform_shares(stack, content)[:, stack.keys.is_special].sum(axis=1)
    return _beyond(SPECIAL_SHARE.of(stack), uniform[:, None])


def _beyond(mass: HeadMap, uniform: Float[np.ndarray, "layer #head"]) -> HeadMap:
    missing = np.full(mass.shape, np.nan)
    return np.divide(mass - uniform, 1 - uniform, out=missing, where=uniform < 1 - ROUNDING)


def uniform_reach(stack: Stack) -> float:
    """The reach of a head that looks at all patches alike; nan without patches."""
    tokens = stack.keys
    centres = tokens.centres[tokens.is_image & ~np.isnan(tokens.boxes).any(axis=1)]
    if not len(centres):
        return float("nan")
    total = 0.0
    for start in range(0, len(centres), REACH_ROWS):
        apart = centres[start : start + REACH_ROWS, None] - centres
        total += float(np.hypot(apart[..., 0], apart[..., 1]).sum())
    return total / len(centres) ** 2


def _at_least(statistic: HeadStatistic, threshold: float) -> Callable[[Stack], Holds]:
    return lambda stack: statistic.of(stack) >= threshold


def _prefers(mass: HeadStatistic, lift: HeadStatistic) -> Callable[[Stack], Holds]:
    return lambda stack: beyond_uniform(mass.of(stack), lift.of(stack)) >= 0.5


def _looks_near(stack: Stack) -> Holds:
    is_near = REACH.of(stack) <= 0.5 * uniform_reach(stack)
    return is_near & (IMAGE_TO_IMAGE_MASS.of(stack) >= 0.5)


PATTERNS = (
    Pattern(
        "special tokens (sink)",
        "words and patches go at least half of the way from uniform attention to looking at "
        "special tokens alone",
        lambda stack: special_beyond_uniform(stack) >= 0.5,
    ),
    Pattern(
        "mostly looks at itself",
        "each token gives at least half of its attention to itself",
        _at_least(DIAGONAL, 0.5),
    ),
    Pattern(
        "previous token",
        "each token gives at least 40 % of its attention to the one just before it",
        _at_least(PREVIOUS_TOKEN, 0.4),
    ),
    Pattern(
        "words look at the picture",
        "words go at least half of the way from uniform attention to looking at patches alone",
        _prefers(TEXT_TO_IMAGE_MASS, TEXT_TO_IMAGE_LIFT),
    ),
    Pattern(
        "patches look at the words",
        "patches go at least half of the way from uniform attention to looking at words alone",
        _prefers(IMAGE_TO_TEXT_MASS, IMAGE_TO_TEXT_LIFT),
    ),
    Pattern(
        "patches near by",
        "patches give at least half of their attention to patches, and reach at most half as far "
        "as uniform attention would",
        _looks_near,
    ),
    Pattern(
        "words among themselves",
        "words go at least half of the way from uniform attention to looking at words alone",
        _prefers(TEXT_TO_TEXT_MASS, TEXT_TO_TEXT_LIFT),
    ),
    Pattern(
        "patches among themselves",
        "patches go at least half of the way from uniform attention to looking at patches alone",
        _prefers(IMAGE_TO_IMAGE_MASS, IMAGE_TO_IMAGE_LIFT),
    ),
    Pattern(
        "spread evenly",
        "the entropy is at least 95 % of the greatest possible",
        _at_least(ENTROPY, 0.95),
    ),
)
MIXED = Pattern(
    "mixed",
    "none of the rules is met",
    lambda stack: np.ones((stack.n_layers, stack.n_heads), bool),
)

"""How right a choice by scores is, where several options may have exactly the largest one.

None of those is preferred: a question counts as right by the share of right ones among them, what
a choice by lot would give on average. So a model that scores all alike stands at chance, and not
at the share of questions whose first candidate happens to be right.
"""

import math
from collections.abc import Collection, Sequence


def top(scores: Sequence[float]) -> tuple[int, ...]:
    """The places of the options with the largest score; a nan is none, and there may be none."""
    known = [score for score in scores if not math.isnan(score)]
    highest = max(known, default=math.nan)
    return tuple(place for place, score in enumerate(scores) if score == highest)


def credit(scores: Sequence[float], right: Collection[int]) -> float:
    """The share of right options among those at the top, 0 to 1; 0 if no option has a score.

    right: the places of the right ones.
    """
    highest = top(scores)
    return sum(place in right for place in highest) / len(highest) if highest else 0.0

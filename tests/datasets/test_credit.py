"""How right a choice by scores is, against drawing one of the best over and over."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vl_core.datasets.credit import credit, top

few = st.sampled_from([-math.inf, -1.0, 0.0, 2.0, math.nan])  # so that ties and gaps are common


@given(st.lists(few, max_size=6), st.sets(st.integers(0, 5), max_size=3))
def test_it_is_the_share_of_draws_that_are_right(scores, right):
    """Each of the best is drawn as often as another; without any there is nothing to draw."""
    best = [place for place, one in enumerate(scores) if not any(one < other for other in scores)]
    best = [place for place in best if not math.isnan(scores[place])]
    hits = [draw in right for draw in best]

    assert top(scores) == tuple(best)
    assert credit(scores, right) == pytest.approx(sum(hits) / len(hits) if hits else 0)

"""Whether two rankings agree."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vl_core.attribution.agreement import rank_correlation

PAIRS = st.lists(
    st.tuples(*[st.sampled_from([np.nan, -1.0, 0.0, 0.5, 2.0, 7.0])] * 2), min_size=0, max_size=12
)


@given(PAIRS)
def test_it_is_the_correlation_of_the_ranks(pairs):
    """As pandas has it: ties share their mean rank, missing pairs are left out."""
    one, other = np.array(pairs, float).reshape(-1, 2).T
    present = ~np.isnan(one + other)
    ranks = [pd.Series(side[present]).rank() for side in (one, other)]
    constant = present.sum() < 2 or any(np.ptp(side) == 0 for side in ranks)
    found = rank_correlation(one, other)

    assert np.isnan(found) if constant else found == pytest.approx(ranks[0].corr(ranks[1]))


def test_only_the_order_counts():
    """Any map that grows with another agrees with it fully, whatever their shapes of axes."""
    values = np.random.default_rng(0).normal(size=(3, 5))

    assert rank_correlation(values, np.exp(values)) == pytest.approx(1)
    assert rank_correlation(values, -(values**3)) == pytest.approx(-1)
    assert abs(rank_correlation(values, values[:, ::-1])) < 0.9

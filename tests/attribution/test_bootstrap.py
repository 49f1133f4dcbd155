"""Bootstrap intervals of a mean."""

import numpy as np
import pytest

from vl_core.attribution import bootstrap
from vl_core.attribution.bootstrap import interval


def test_the_interval_is_as_wide_as_theory_says():
    """For many normal values it is the mean and 1.96 standard errors to either side."""
    values = np.random.default_rng(4).normal(3, 2, size=500)
    low, high = interval(values, seed=1, draws=4000)
    error = values.std() / np.sqrt(500)

    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_the_truth_lies_inside_as_often_as_promised():
    """In about nine of ten samples at a level of 0.9."""
    rng = np.random.default_rng(7)
    inside = 0
    for seed in range(300):
        low, high = interval(rng.normal(size=60), seed, draws=300, level=0.9)
        inside += low <= 0 <= high

    assert 0.84 <= inside / 300 <= 0.94


def test_the_seed_decides():
    """The same interval for the same seed, another one for another."""
    values = np.random.default_rng(0).random(40)

    assert interval(values, seed=3) == interval(values, seed=3)
    assert interval(values, seed=3) != interval(values, seed=4)


def test_few_values_at_a_time_give_an_interval_as_well(monkeypatch):
    """Draws are made in pieces where there are many values; none is lost."""
    values = np.random.default_rng(0).random(50)
    whole = interval(values, seed=3, draws=1001)
    monkeypatch.setattr(bootstrap, "CHUNK", 340)  # six draws at a time, the last piece shorter

    assert interval(values, seed=3, draws=1001) == pytest.approx(whole, abs=0.03)


def test_missing_values_take_no_part():
    """A mean over nothing has no interval; one value has no width."""
    values = np.array([0.25, np.nan, 0.25])

    assert interval(values, seed=0) == (0.25, 0.25)
    assert np.isnan(interval(np.array([np.nan]), seed=0)).all()
    assert np.isnan(interval(np.zeros(0), seed=0)).all()


def test_a_wider_level_gives_a_wider_interval():
    """As both ends move outwards."""
    values = np.random.default_rng(0).random(30)
    ends = [interval(values, seed=0, level=level) for level in (0.5, 0.8, 0.99)]

    assert [low for low, _ in ends] == sorted((low for low, _ in ends), reverse=True)
    assert [high for _, high in ends] == sorted(high for _, high in ends)

"""How measured numbers are summed up and put beside their aims."""

from benchmarks.figure import Figure, median_and_most, spread, table


def test_a_table_puts_aim_and_measured_value_side_by_side():
    """Large numbers get separators, small ones three digits; without an aim its column is empty."""
    rows = table([Figure("first paint", 1.2345, "s", 2), Figure("scripts", 2458123.4, "kB")])

    assert rows.splitlines()[2:] == [
        "| first paint | ≤ 2 s | 1.23 s |",
        "| scripts |  | 2,458,123 kB |",
    ]


def test_a_spread_is_median_and_95th_percentile_each_with_its_aim():
    """One slow value in twenty-one moves the percentile no further than to its neighbours."""
    median, p95 = spread("hover", [*range(1, 21), 1000], "ms", median=16, p95=33)

    assert (median.value, median.aim) == (11, 16)
    assert (p95.value, p95.aim) == (20, 33)


def test_a_few_values_are_told_by_median_and_maximum():
    """Three starts have no percentile; the slowest has no aim of its own."""
    median, most = median_and_most("start", [3.0, 1.0, 2.5], "s", aim=2)

    assert (median.value, median.aim) == (2.5, 2)
    assert (most.value, most.aim) == (3.0, None)

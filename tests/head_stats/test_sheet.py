"""The table to take away has every head and every statistic."""

import csv
import io

import numpy as np
import pytest

from tests.builders import random_stack, random_tokens
from vl_core import head_stats
from vl_core.head_stats import vlinterpret
from vl_core.head_stats.sheet import as_csv


def test_the_table_has_one_row_for_each_head_and_every_statistic():
    """Numbers read back as they were computed; what is missing is empty, never 0."""
    stack = random_stack()  # without boxes, so that the grounding is missing

    rows = list(csv.DictReader(io.StringIO(as_csv(stack))))

    assert [(row["layer"], row["head"]) for row in rows] == [
        (str(layer), str(head)) for layer in (1, 2, 3) for head in (1, 2, 3, 4, 5)
    ]
    for statistic in head_stats.all_statistics():
        for suffix, with_specials in (("", True), ("/without_specials", False)):
            read = [float(row[statistic.key + suffix] or "nan") for row in rows]
            expected = statistic.of(stack, with_specials).ravel()
            assert read == pytest.approx(expected, rel=1e-6, nan_ok=True)
    assert {row["grounding"] for row in rows} == {""}


def test_the_table_has_the_z_scores_and_vlinterprets_own_numbers():
    """Whatever view is on screen, its numbers stand in the table."""
    stack = random_stack()

    rows = list(csv.DictReader(io.StringIO(as_csv(stack))))

    def read(column):
        return [float(row[column] or "nan") for row in rows]

    for key in ("entropy", "entropy/without_specials"):
        values = np.array(read(key))
        expected = (values - values.mean()) / values.std()
        assert read(f"{key}/z") == pytest.approx(expected, rel=1e-4, abs=1e-6)
    for label, scores in vlinterpret.statistics(stack).items():
        assert read(f"vlinterpret/{label}") == pytest.approx(scores.ravel(), rel=1e-6, nan_ok=True)


def test_a_stack_that_vlinterpret_did_not_know_has_no_columns_of_its_own():
    """Its statistics are undefined where one stream looks at another."""
    crossed = random_stack(keys=random_tokens(n_text=0, rows=3, columns=5))

    assert "vlinterpret" not in as_csv(crossed).splitlines()[0]


def test_layers_have_the_models_own_numbers():
    """A stack that starts at a later layer of the model says so, counted from 1."""
    stack = random_stack(layers=1)
    later = type(stack)(**{**vars(stack), "layers": (6,)})

    [first, *_] = csv.DictReader(io.StringIO(as_csv(later)))

    assert first["layer"] == "7"
    assert np.isfinite(float(first["entropy"]))

"""The table to take away has every head and every statistic."""

import csv
import io

import numpy as np
import pytest

from tests.builders import random_stack
from vl_core import head_stats
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


def test_layers_have_the_models_own_numbers():
    """A stack that starts at a later layer of the model says so, counted from 1."""
    stack = random_stack(layers=1)
    later = type(stack)(**{**vars(stack), "layers": (6,)})

    [first, *_] = csv.DictReader(io.StringIO(as_csv(later)))

    assert first["layer"] == "7"
    assert np.isfinite(float(first["entropy"]))

"""What the app says of the embedded model is what was measured."""

import json

import pytest

from vl_core.accuracy import EVALUATION, accuracy


def test_the_accuracy_is_the_plain_mean_over_the_types_of_question():
    """Each type counts the same, as each was asked equally often."""
    types = json.loads(EVALUATION.read_text())["types"].values()

    assert accuracy() == pytest.approx(sum(row["model"] for row in types) / len(types))
    assert 0 < accuracy() < 1

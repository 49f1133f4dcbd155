"""Accuracy, calibration and the temperature."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from training.evaluation.accuracy import calibration, mean_right, share_right
from vl_core.datasets.scenes import ANSWERS


def asked(*pairs):
    """Questions of a type with their right answers."""
    return [SimpleNamespace(question=SimpleNamespace(type=t, answer=a)) for t, a in pairs]


def test_shares_are_by_type_and_their_mean_counts_types_alike():
    """Two of three colors and none of one count: a third, not a half."""
    questions = asked(("color", "red"), ("color", "blue"), ("color", "green"), ("count", "2"))
    given = ["red", "blue", "red", "3"]

    assert share_right(questions, given, "color") == pytest.approx(2 / 3)
    assert share_right(questions, given, "count") == 0
    assert np.isnan(share_right(questions, given, "size"))
    assert mean_right(questions, given) == pytest.approx(1 / 3)


def logits(confidence, right):
    """Logits that give one answer with this confidence; right or not."""
    n = len(ANSWERS)
    rest = (1 - confidence) / (n - 1)
    row = torch.full((n,), rest)
    row[0 if right else 1] = confidence
    return row.log()


def test_calibration_error_of_a_known_case():
    """Nine of ten right at 90 % is no error at all; half of them right is 40 points."""
    questions = asked(*[("color", ANSWERS[0])] * 10)
    good = torch.stack([logits(0.9, right=k < 9) for k in range(10)])
    bad = torch.stack([logits(0.9, right=k < 5) for k in range(10)])

    assert calibration(good, questions)["expected calibration error"] == pytest.approx(0, abs=1e-6)
    assert calibration(bad, questions)["expected calibration error"] == pytest.approx(0.4, abs=1e-6)


def test_calibration_error_is_the_plain_sum_over_bins():
    """Against a slow loop over bins of equal width."""
    rng = np.random.default_rng(0)
    found = torch.from_numpy(rng.normal(size=(200, len(ANSWERS))) * 3)
    questions = asked(*[("color", ANSWERS[k]) for k in rng.integers(len(ANSWERS), size=200)])
    shares = found.softmax(-1).numpy()
    expected = 0.0
    for low in range(15):
        inside = [k for k in range(200) if low / 15 <= shares[k].max() < (low + 1) / 15]
        if inside:
            sure = np.mean([shares[k].max() for k in inside])
            right = np.mean(
                [ANSWERS[shares[k].argmax()] == questions[k].question.answer for k in inside]
            )
            expected += len(inside) / 200 * abs(sure - right)

    assert calibration(found, questions)["expected calibration error"] == pytest.approx(expected)

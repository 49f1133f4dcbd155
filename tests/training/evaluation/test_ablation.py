"""Ablation over a set gives for each question what ablation of that question alone gives."""

import numpy as np
import pytest

import vl_core
from training.evaluation.ablation import ablation, keep_head_means
from training.evaluation.subject import REPORTED_SEEDS, Subject
from training.questions import question_set
from vl_core.attribution.ablation import HeadMeans, head_effects
from vl_core.datasets.scenes import QUESTION_TYPES, as_example
from vl_core.findings import HEAD_MEANS


@pytest.fixture(scope="module")
def model():
    """The shipped model."""
    return vl_core.load("embedded")


@pytest.fixture(scope="module")
def means(model):
    """What its heads say on average."""
    return HeadMeans.load(HEAD_MEANS, model.provenance.weights_hash)


def test_a_set_of_padded_questions_agrees_with_one_at_a_time(model, means):
    """Pictures and texts of several sizes in one batch change nothing of a head's effect."""
    found = ablation(Subject(), means, 1, None)
    asked = question_set(REPORTED_SEEDS, 1)
    for one in asked:
        effects = head_effects(model, as_example(one.scene, one.question, 128), means)
        row = found["types"][one.question.type]
        if effects.answer == one.question.answer:
            assert row["accuracy"] == 1
            np.testing.assert_allclose(row["surprise"], -effects.change, atol=2e-3)
            np.testing.assert_array_equal(np.array(row["change"]) == -1, effects.flips)


def test_intervals_hold_their_change_and_no_statistics_no_agreement(means):
    """With one question the interval is the change itself; nothing is compared with nothing."""
    found = ablation(Subject(), means, 1, None)

    assert set(found["types"]) == set(QUESTION_TYPES)
    for row in found["types"].values():
        assert row["low"] == row["change"] == row["high"]
    assert found["agreement"] == {}


def test_the_means_of_another_model_are_not_kept_as_the_shipped_ones(tmp_path, monkeypatch):
    """Measuring any other folder leaves the file that the app reads as it is."""
    before = HEAD_MEANS.read_bytes()
    copy = tmp_path / "copy"
    copy.symlink_to(Subject().folder)
    keep_head_means(Subject(copy), 1)

    assert HEAD_MEANS.read_bytes() == before

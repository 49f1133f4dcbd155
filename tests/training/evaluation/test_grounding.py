"""Maps against boxes, and what becomes of them without trained weights."""

import pytest

from training.evaluation.grounding import HEADS, grounding, randomised, untrained
from training.evaluation.subject import Subject
from vl_core.datasets.scenes import QUESTION_TYPES


@pytest.fixture(scope="module")
def figures():
    """A few questions of each type."""
    return grounding(Subject(), 2)


def test_every_map_has_its_measures_between_nothing_and_all(figures):
    """Also a map that knows nothing, whose AUC is a half; energy of it is the boxes' share."""
    mean = figures["mean"]
    for name, row in mean.items():
        if isinstance(row, dict):
            assert all(0 <= row[measure] <= 1 for measure in ("pointing", "energy", "AUC")), name
    assert mean["chance"]["AUC"] == 0.5
    assert mean["chance"]["energy"] < 0.2
    assert set(figures["types"]) == set(QUESTION_TYPES)


def test_the_best_head_is_one_head_with_all_its_measures(figures):
    """The figures of the best head stand in the maps of all heads."""
    heads = figures["heads"]["all"]
    for looking, keys in HEADS.items():
        best = figures["mean"][f"best head, {looking}"]
        for measure, key in zip(("pointing", "energy", "AUC"), keys, strict=True):
            assert best[measure] == pytest.approx(heads[key][best["layer"]][best["head"]], abs=1e-4)


def test_the_shipped_model_looks_where_an_untrained_one_does_not(figures):
    """Words find what they name in the best head; new weights are near chance."""
    mean = figures["mean"]

    assert mean["best head, words"]["pointing"] > 0.9
    assert mean["relevancy"]["pointing"] > mean["untrained, relevancy"]["pointing"] + 0.4


def test_with_no_layer_drawn_anew_the_maps_are_the_models_own():
    """The first row is the intact model; with all layers new, relevancy has changed."""
    first, *_, last = randomised(Subject(), 1)

    assert first["layers"] == 0
    assert first["relevancy"]["rank correlation"] == pytest.approx(1)
    assert first["rollout"]["rank correlation"] == pytest.approx(1)
    assert last["layers"] == 6
    assert last["relevancy"]["rank correlation"] < 0.8


def test_an_untrained_model_is_the_same_each_time():
    """Its figures can be measured again."""
    with untrained() as one, untrained() as other:
        assert one.provenance.weights_hash == other.provenance.weights_hash

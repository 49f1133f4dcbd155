"""The embedded model on VCR's files, against what training's own evaluation makes of the scenes."""

import numpy as np
import pytest

import vl_core
from training.evaluation import tasks
from training.evaluation.scoring import Input, scores
from training.evaluation.subject import REPORTED_SEEDS, Subject
from training.questions import rendered
from vl_core.datasets.scenes import choice_items
from vl_core.datasets.scenes.vcr_files import write_vcr
from vl_core.datasets.vcr import VCR, accuracy

N_ITEMS = 24


@pytest.fixture(scope="module")
def items():
    """Scenes that the model's card reports on."""
    return choice_items(REPORTED_SEEDS, N_ITEMS)


@pytest.fixture(scope="module")
def data(items, tmp_path_factory):
    """The same in VCR's files."""
    folder = tmp_path_factory.mktemp("vcr")
    write_vcr(folder, items, "val")
    return VCR(folder)


@pytest.fixture(scope="module")
def model():
    """As a user loads it."""
    return vl_core.load()


@pytest.fixture(scope="module")
def found(model, data):
    """Item x task x candidate: scores of one example after another."""
    return np.array(
        [
            [[model.score(option.example()) for option in asked.options] for asked in item.asked]
            for item in data
        ]
    )


@pytest.mark.parametrize("rationales", [False, True])
def test_scores_are_those_of_the_models_card(items, found, rationales):
    """Though words are put together, boxes come from files, and nothing is batched."""
    given = [
        Input(texts, rendered(item.scene), item.scene)
        for item in items
        for texts in tasks._candidates(item, rationales=rationales)
    ]
    subject = Subject()
    wanted = scores(subject.model, subject.processor, given)["candidate_score"].view(-1, 4).numpy()

    np.testing.assert_allclose(found[:, int(rationales)], wanted, atol=1e-4)


def test_what_is_right_is_counted_as_the_card_counts(items, data, found):
    """The same on each item, by the labels that the files tell."""
    labels = np.array([[min(asked.right) for asked in item.asked] for item in data])
    counted = [tasks._choice_credits(Subject(), items, rationales=one) for one in (False, True)]
    shares = accuracy(found[:, 0], labels[:, 0], found[:, 1], labels[:, 1])

    assert (found.argmax(axis=2) == labels).T.tolist() == [one.tolist() for one in counted]
    assert shares == (counted[0].mean(), counted[1].mean(), (counted[0] * counted[1]).mean())
    assert shares.both >= 0.9


def test_a_trace_of_a_candidate_has_its_score_and_its_parts(model, data, found):
    """What is shown is what was ranked by; words stand for the characters of all parts."""
    example = data[5].asked[1].options[2].example()
    trace = model.trace(example)
    tokens = trace.streams["encoder"].tokens

    assert trace.prediction.kind == "score"
    assert trace.prediction.top[0][0] == example.parts[-1]
    assert trace.prediction.top[0][1] == pytest.approx(found[5, 1, 2], abs=1e-4)
    assert trace.example.breaks == example.breaks
    assert trace.example.regions == example.regions
    assert not tokens.is_unknown.any()
    spans = tokens.spans[tokens.is_text]
    covered = {c for start, end in spans for c in range(start, end)}
    assert covered == {i for i, c in enumerate(example.text) if c != " "}


def test_a_test_splits_file_holds_the_same_candidates(items, tmp_path, model):
    """Without labels a rationale is judged behind each of the answers; the texts are those."""
    write_vcr(tmp_path, items[:1], "test")
    (item,) = VCR(tmp_path)
    asked = item.asked[1 + items[0].asked.answer_label]
    write_vcr(tmp_path, items[:1], "val")
    (told,) = VCR(tmp_path)

    assert [one.example().text for one in asked.options] == [
        one.example().text for one in told.asked[1].options
    ]
    scored = [model.score(one.example()) for one in asked.options]
    assert int(np.argmax(scored)) == min(told.asked[1].right)

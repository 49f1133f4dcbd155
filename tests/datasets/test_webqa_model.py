"""The embedded model on generated WebQA files: what training measured, told again by the loader."""

import numpy as np
import pytest

import vl_core
from training.evaluation.subject import CHOOSING_SEEDS, Subject
from training.evaluation.tasks import _source_scores, retrieval_f1
from vl_core.datasets.reading import scores
from vl_core.datasets.scenes import sourced_items
from vl_core.datasets.scenes.webqa_files import FIRST_IMAGE_ID, write_webqa
from vl_core.datasets.webqa import best_threshold, opened, retrieval

N_ITEMS, N_SOURCES = 12, 5


@pytest.fixture(scope="module")
def items():
    """Questions that pictures and texts answer."""
    found = sourced_items(CHOOSING_SEEDS, N_ITEMS, N_SOURCES)
    assert {item.asked.by_text for item in found} == {True, False}
    return found


@pytest.fixture(scope="module")
def data(items, tmp_path_factory):
    """The same as a data set."""
    folder = tmp_path_factory.mktemp("webqa")
    write_webqa(folder, items, "val")
    return opened(folder)


def written_order(items, data):
    """For each item the place of its sources, in their own order, among the options."""
    image_ids = iter(range(FIRST_IMAGE_ID, FIRST_IMAGE_ID + N_ITEMS * N_SOURCES))
    for item, read in zip(items, data, strict=True):
        names = [
            f"{read.name}_{place}" if one.scene is None else str(next(image_ids))
            for place, one in enumerate(item.asked.sources)
        ]
        options = [option.name for option in read.asked[0].options]
        yield [options.index(name) for name in names]


def test_a_model_is_given_what_it_was_trained_on(items, data):
    """Texts letter by letter, pictures pixel by pixel."""
    for item, read, order in zip(items, data, written_order(items, data), strict=True):
        (asked,) = read.asked
        assert sorted(order) == list(range(N_SOURCES)) == list(range(len(asked.options)))
        assert asked.right == {
            place for place, one in zip(order, item.asked.sources, strict=True) if one.is_gold
        }
        for place, one in zip(order, item.asked.sources, strict=True):
            example = asked.options[place].example()
            assert example.task == "source"
            assert example.parts == (item.asked.text, one.text)
            assert (example.image is None) == (one.scene is None)
            if one.scene is not None:
                assert example.image.tobytes() == one.scene.render().tobytes()
                assert example.size == (one.scene.width, one.scene.height)


def test_scores_and_figures_are_those_of_training(items, data):
    """Source by source; the F1 follows from them by another way, best with the best threshold."""
    expected = _source_scores(Subject(), items)
    model, skipped = vl_core.load("embedded"), []
    found = [scores(item.asked[0], model.score, skipped) for item in data]
    ordered = [own[order] for own, order in zip(found, written_order(items, data), strict=True)]
    np.testing.assert_allclose(np.concatenate(ordered), expected, atol=1e-4)
    assert not skipped

    right = [item.asked[0].right for item in data]
    f1 = []
    for threshold in [best_threshold(found, right), *np.quantile(expected, [0.21, 0.63, 0.97])]:
        f1.append(retrieval(found, right, float(threshold)).f1)
        assert f1[-1] == pytest.approx(retrieval_f1(expected, items, float(threshold)))
    assert f1[0] > max(f1[1:])

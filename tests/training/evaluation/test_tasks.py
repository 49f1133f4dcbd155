"""The measures of the original's tasks."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from training import baselines
from training.evaluation.tasks import _choice_figures, _credits, best_is_gold, retrieval_f1
from vl_core.datasets import vcr
from vl_core.datasets.scenes import TRAINING_SEEDS, UNSEEN_SEEDS, choice_items, sourced_items


def item(*gold):
    """A question whose sources are gold or not."""
    sources = [SimpleNamespace(is_gold=bool(one)) for one in gold]
    return SimpleNamespace(asked=SimpleNamespace(sources=sources))


def test_retrieval_f1_of_known_cases():
    """All right: 1; one right of two named: 2/3; none named, or only wrong ones: 0."""
    items = [item(1, 0, 0), item(0, 1, 0, 0), item(1, 0), item(0, 1)]
    found = np.array([0.9, 0.1, 0.2, 0.9, 0.8, 0.1, 0.0, 0.1, 0.2, 0.9, 0.3])

    assert retrieval_f1(found, items, 0.5) == pytest.approx((1 + 2 / 3 + 0 + 0) / 4)


def test_retrieval_f1_is_the_plain_definition():
    """Precision and recall of each question by themselves, then the mean of their F1."""
    rng = np.random.default_rng(1)
    items = [item(1, *(rng.random(size) < 0.4)) for size in (3, 5, 4, 7)]
    found = rng.random(sum(len(one.asked.sources) for one in items))
    start, values = 0, []
    for one in items:
        gold = {k for k, source in enumerate(one.asked.sources) if source.is_gold}
        named = {k for k in range(len(one.asked.sources)) if found[start + k] > 0.6}
        start += len(one.asked.sources)
        hits = len(gold & named)
        precision, recall = (hits / len(named) if named else 0), hits / len(gold)
        values.append(2 * precision * recall / (precision + recall) if hits else 0)

    assert retrieval_f1(found, items, 0.6) == pytest.approx(np.mean(values))


def test_several_best_sources_count_by_their_share():
    """One right, one wrong, one gold among two that are equal, two gold among three."""
    items = [item(1, 0, 0), item(0, 1), item(1, 0, 0, 0), item(1, 1, 0)]
    found = np.array([0.9, 0.1, 0.2, 0.9, 0.3, 0.5, 0.1, 0.5, 0.2, 0.4, 0.4, 0.4])

    assert best_is_gold(found, items) == pytest.approx((1 + 0 + 1 / 2 + 2 / 3) / 4)


def test_several_best_candidates_count_by_their_share():
    """As `score` counts them: a model that scores all alike stands at chance."""
    labels = np.array([[0, 1], [3, 0], [2, 2], [1, 3], [0, 0]])
    asked = [
        SimpleNamespace(answer_label=one, rationale_label=other) for one, other in labels.tolist()
    ]
    items = [SimpleNamespace(asked=one) for one in asked]
    scores = torch.from_numpy(np.random.default_rng(5).integers(0, 3, (2, 5, 4)).astype(np.float32))
    scores[0, 0] = 7

    found = [_credits(scores[place].flatten(), items, rationales=bool(place)) for place in (0, 1)]

    assert found[0][0] == 0.25
    given = [part for place in (0, 1) for part in (scores[place].numpy(), labels[:, place])]
    assert tuple(_choice_figures(*found).values()) == pytest.approx(vcr.accuracy(*given))


def test_sources_above_a_threshold_between_two_numbers_of_float32():
    """The threshold is not rounded to one of them."""
    found = np.array([0.1, -0.2, 0.3], np.float32)

    assert retrieval_f1(found, [item(1, 0, 1)], 0.1) == 1


@pytest.mark.parametrize("rationales", [False, True])
def test_words_alone_do_not_decide_among_candidates(rationales):
    """A classifier of question and candidate stays at about one in four on unseen items."""
    reader = baselines.candidates_only(1500, rationales=rationales, with_question=True)
    items = choice_items(UNSEEN_SEEDS, 600)
    texts = [
        text
        for one in items
        for text in baselines.candidate_texts(one.asked, rationales=rationales, with_question=True)
    ]
    chosen = reader.scores(texts).view(-1, 4).argmax(-1).tolist()
    labels = [one.asked.rationale_label if rationales else one.asked.answer_label for one in items]

    assert np.mean([a == b for a, b in zip(chosen, labels, strict=True)]) < 0.33


def test_a_reader_of_sources_knows_the_place_but_not_the_picture():
    """It finds sources of the right place, and cannot tell which picture shows what is asked."""
    reader = baselines.sources_only(1200)
    items = sourced_items(TRAINING_SEEDS[9_000_000:], 150)
    texts = [
        baselines.source_text(one.asked.text, source.text, has_picture=source.scene is not None)
        for one in items
        for source in one.asked.sources
    ]
    found = reader.scores(texts)[:, 0].numpy()
    right_place = np.array(
        [one.asked.place in source.text for one in items for source in one.asked.sources]
    )

    assert found[right_place].mean() > found[~right_place].mean() + 0.3

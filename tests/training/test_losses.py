"""The losses of joint training."""

import random

import pytest
import torch

from tests.training.test_batches import TASKS, CellNumbers
from training.batches import Batches
from training.labels import Labelled
from training.log import Log
from training.losses import WEIGHTS, losses
from training.recipe import Recipe, config, processor
from vl_core.datasets.scenes import QUESTION_TYPES, scene
from vl_core.families.kdvlp import KDVLPForTasks


class Features(CellNumbers):
    """As wide as the embedded model's backbone."""

    def __getitem__(self, index):
        return super().__getitem__(index)[:, :1].repeat(128, axis=1)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Model, losses and log of one batch."""
    torch.manual_seed(0)
    model = KDVLPForTasks(config()).bfloat16()
    labelled = [Labelled(scene(seed)) for seed in range(12)]
    features = Features(labelled)
    features.shapes = [(cells, 128) for cells, _ in features.shapes]
    batches = Batches(Recipe(), TASKS, labelled, features, processor().tokenizer)
    log = Log(tmp_path_factory.mktemp("log") / "log.jsonl", writes=False)
    parts = batches.parts(random.Random(5), 24, 50_000)
    return model, [losses(model, part, log) for part in parts], log


def test_every_objective_has_its_loss(found):
    """Both parts of a step together have a finite loss for each weight.

    In both are answers, weighted by how many each part asks for, and matching: of captions in one,
    of sources in the other.
    """
    _, (short, long), _ = found

    assert set(short) | set(long) == set(WEIGHTS)
    assert set(short) & set(long) == {"answers", "matching"}
    assert all(loss.isfinite() and loss > 0 for loss in (*short.values(), *long.values()))


def test_answers_start_at_an_even_guess(found):
    """Before training the answers' loss is about that of a guess among all 31."""
    _, (short, _), _ = found

    assert short["answers"].item() == pytest.approx(torch.tensor(31.0).log().item(), abs=0.15)


def test_every_head_that_is_trained_gets_a_gradient(found):
    """All heads learn; the backbone, which is not run, does not."""
    model, (short, long), _ = found
    sum((*short.values(), *long.values())).backward()
    without = {
        name.split(".")[0] if not name.startswith("kdvlp") else ".".join(name.split(".")[:2])
        for name, value in model.named_parameters()
        if value.grad is None
    }

    assert without == {"kdvlp.backbone"}


def test_candidates_start_at_an_even_guess_among_four(found):
    """Before training the right one of four is as likely as each of the others."""
    _, (_, long), _ = found

    expected = WEIGHTS["candidates"] * torch.tensor(4.0).log().item()
    assert long["candidates"].item() == pytest.approx(expected, abs=0.15)


def test_log_counts_by_type(found):
    """Accuracies are counted for all questions together and for their types."""
    _, _, log = found

    by_type = sum(len(log.counts.get(name, [])) for name in (*QUESTION_TYPES, "sources"))
    assert len(log.counts["all"]) == by_type > 10
    assert len(log.counts["answers"]) + len(log.counts["rationales"]) > 3

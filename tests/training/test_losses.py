"""The losses of joint training."""

import random

import pytest
import torch

from tests.training.test_batches import CellNumbers
from training.batches import Batches
from training.labels import Labelled
from training.log import Log
from training.losses import WEIGHTS, losses
from training.recipe import Recipe, config, processor
from vl_core.datasets.scenes import scene
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
    batches = Batches(Recipe(), labelled, features, processor().tokenizer)
    log = Log(tmp_path_factory.mktemp("log") / "log.jsonl", writes=False)
    return model, losses(model, batches.batch(random.Random(5), 8, 50_000), log), log


def test_every_objective_has_its_loss(found):
    """A batch of forty rows has a finite loss for each weight."""
    _, parts, _ = found

    assert set(parts) == set(WEIGHTS)
    assert all(loss.isfinite() and loss > 0 for loss in parts.values())


def test_answers_start_at_an_even_guess(found):
    """Before training the answers' loss is about that of a guess among all 31."""
    _, parts, _ = found

    assert parts["answers"].item() == pytest.approx(torch.tensor(31.0).log().item(), abs=0.15)


def test_every_head_that_is_trained_gets_a_gradient(found):
    """All but the heads of candidates and sources learn, and the backbone, which is not run."""
    model, parts, _ = found
    sum(parts.values()).backward()
    without = {
        name.split(".")[0] if not name.startswith("kdvlp") else ".".join(name.split(".")[:2])
        for name, value in model.named_parameters()
        if value.grad is None
    }

    assert without == {"candidate", "source", "kdvlp.backbone"}


def test_log_counts_by_type(found):
    """Accuracies are counted for all questions together and for their types."""
    _, _, log = found

    assert len(log.counts["all"]) == 32
    assert sum(len(log.counts.get(name, [])) for name in ("color", "count", "side")) <= 32

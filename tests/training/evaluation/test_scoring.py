"""Running the model on many inputs gives each what it gets alone."""

import pytest
import torch

from training.evaluation.scoring import HEADS, Input, blank, inputs, scores
from training.labels import Labelled
from training.recipe import config, processor
from vl_core.datasets.scenes import scene
from vl_core.families.kdvlp import KDVLPForTasks

TALL, WIDE = scene(4, (64, 128)), scene(9, (128, 80))
GIVEN = [
    Input(("is it red?",), WIDE.render()),
    Input(("what is left of [2]?", "[1], the star."), TALL.render(), TALL),
    Input(("how many stars?", "the photo shows a star."), None),
    Input(("what?", "[1].", "because [1] is red."), WIDE.render(), WIDE),
]


@pytest.fixture(scope="module")
def model():
    """A new model of the embedded model's shape."""
    torch.manual_seed(0)
    return KDVLPForTasks(config()).eval()


def test_inputs_of_all_kinds_together_get_what_they_get_alone(model):
    """Pictures of other sizes, texts of other lengths and texts alone change nothing."""
    together = scores(model, processor(), GIVEN)
    for number, one in enumerate(GIVEN):
        alone = scores(model, processor(), [one])
        for name in HEADS:
            torch.testing.assert_close(together[name][number], alone[name][0], atol=1e-4, rtol=0)


def test_tags_lie_on_the_cells_of_their_objects():
    """Object 0 is called [1]; its tag is on the cells that training gives it, padding has none."""
    batch = inputs(processor(), [GIVEN[1], GIVEN[3]])
    for item, shown in enumerate((TALL, WIDE)):
        labelled = Labelled(shown)
        rows, columns = labelled.grid
        tags = batch["cell_tags"][item].view(8, 8, 7)
        for one, covers in enumerate(labelled.covers):
            own = tags[:rows, :columns, one + 1].flatten().bool().numpy()
            assert (own == covers).all()
        assert tags[rows:].sum() + tags[:rows, columns:].sum() == 0
        assert tags[..., 0].sum() == 0


def test_an_input_without_tags_has_none_beside_one_with():
    """The plain question's cells stay untagged in a batch with a tagged one."""
    batch = inputs(processor(), [GIVEN[0], GIVEN[1]])

    assert batch["cell_tags"][0].sum() == 0
    assert batch["cell_tags"][1].sum() > 0


def test_a_blank_picture_has_the_scenes_size_and_one_color():
    """It is the processor's mean, so that the model sees zeros."""
    picture = blank(WIDE)

    assert picture.size == (128, 80)
    assert len(picture.getcolors()) == 1
    pixels = processor().image_processor(picture, return_tensors="pt")["pixel_values"]
    assert pixels.abs().max() < 0.01

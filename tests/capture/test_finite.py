"""What is no number is refused with what to do about it, at whatever point of a run it comes."""

import pytest

import vl_core
from tests.builders import random_picture
from tests.checkpoints import save_kdvlp
from vl_core.errors import ModelError

# Parts that overflow, and where that shows first.
PLACES = {
    "kdvlp.encoder.layers.1.down": "in the hidden states of the stream encoder",
    "kdvlp.encoder.layers.2.attention.query": r"in the attention of kdvlp\.encoder\.layers\.2",
    "answers": "nan, in output",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint."""
    return save_kdvlp(tmp_path_factory.mktemp("kdvlp"))


@pytest.mark.parametrize("part", PLACES)
def test_a_run_that_leaves_the_range_is_told_what_to_do(folder, part):
    """Loaded in float16 it passed the check; of this example it makes more than that can hold."""
    model = vl_core.load(str(folder), precision="float16")
    for parameter in model.family.model.get_submodule(part).parameters():
        parameter.data *= 1e9

    with pytest.raises(ModelError, match=rf"Of this example .*{PLACES[part]}.*Load it in float32"):
        model.trace(vl_core.Example(random_picture((80, 130)), "what color is the star?"))

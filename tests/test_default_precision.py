"""What anybody in the process makes the default of torch changes no trace and no analysis."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import vl_core
from tests.builders import random_picture
from tests.checkpoints import save_kdvlp
from tests.families import test_llava, test_qwen_vl
from vl_core.attribution import ablation, relevancy

SAVED = {
    "llava": test_llava.save,
    "qwen": test_qwen_vl.save_qwen2_5,
    "post-norm": lambda folder: save_kdvlp(
        folder, norm_order="post", position_code="normalized", seed=3
    ),
}
OTHERS = [torch.float16, torch.bfloat16, torch.float64]


@contextmanager
def default(dtype):
    """A block with this default."""
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module", params=["embedded", *SAVED])
def model(request, tmp_path_factory):
    """The embedded model, a decoder, one with windows, and one with the other position code."""
    name = request.param
    folder = name if name == "embedded" else str(SAVED[name](tmp_path_factory.mktemp(name)))
    return vl_core.load(folder)


@pytest.fixture(scope="module")
def example():
    """A picture that is not square, a question, and a box that a word names."""
    region = vl_core.Region("star", (20.0, 30.0, 200.0, 150.0), (18, 22))
    return vl_core.Example(random_picture((330, 190)), "what color is the star?", (region,))


@pytest.mark.parametrize("dtype", OTHERS)
def test_a_trace_is_the_same_to_the_last_bit(model, example, dtype, tmp_path):
    """States, what is kept of attention, and every statistic that is stored with it."""
    model.trace(example).save(tmp_path / "usual.safetensors")
    with default(dtype):
        model.trace(example).save(tmp_path / "other.safetensors")
    usual, other = (load_file(tmp_path / f"{name}.safetensors") for name in ("usual", "other"))

    assert usual.keys() == other.keys()
    for name, values in usual.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)
        assert values.dtype == other[name].dtype


@pytest.mark.parametrize("dtype", OTHERS)
def test_what_an_answer_rests_on_is_the_same(dtype, tmp_path, example):
    """Relevancy, head means and what is lost without each head."""
    tiny = vl_core.load(str(save_kdvlp(tmp_path)))
    means = ablation.head_means(tiny, [example])
    usual = analysed(tiny, example, means)
    with default(dtype):
        other = analysed(tiny, example, ablation.head_means(tiny, [example]))

    for one, another in zip(usual, other, strict=True):
        np.testing.assert_array_equal(one, another)


def analysed(model, example, means):
    """The numbers of all three."""
    effects = ablation.head_effects(model, example, means)
    return means.values, effects.change, effects.flips, relevancy.relevancy(model, example).row

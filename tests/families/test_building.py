"""Building a model while other threads run models, or want to build others."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, modeling_utils

from tests.checkpoints import save_kdvlp
from vl_core.families.kdvlp import KDVLPForTasks
from vl_core.families.loading import pretrained

HALF = {"dtype": torch.bfloat16}


class Watched(KDVLPForTasks):
    """A model that calls a function while it is built."""

    def __init__(self, config) -> None:
        super().__init__(config)
        type(self).watch()


def watched(watch):
    """The class, with this function."""
    return type("Watched", (Watched,), {"watch": staticmethod(watch)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny random checkpoint."""
    return save_kdvlp(tmp_path_factory.mktemp("kdvlp"))


def test_others_keep_their_precision_while_a_model_is_built(folder):
    """In the building thread what is made without a precision is half, elsewhere it is not."""
    made = {}

    def make():
        return torch.zeros(2).dtype, torch.tensor(2.0).dtype, torch.arange(3).dtype

    def watch():
        made["here"] = make()
        with ThreadPoolExecutor() as pool:
            made["elsewhere"] = pool.submit(make).result()

    model = pretrained(watched(watch), folder, HALF)

    whole, half, count = torch.float32, torch.bfloat16, torch.int64
    assert made == {"here": (half, half, count), "elsewhere": (whole, whole, count)}
    assert {weight.dtype for weight in model.parameters()} == {half}


def test_what_says_its_precision_keeps_it(folder):
    """Named outright, or by what it is made of."""
    made = []

    def watch():
        made.append(torch.zeros(2, dtype=torch.float32).dtype)
        made.append(torch.tensor(np.ones(3, np.float32)).dtype)

    pretrained(watched(watch), folder, HALF)

    assert made == [torch.float32, torch.float32]


def test_one_model_is_built_at_a_time(folder):
    """Another waits until the first is whole: meanwhile transformers ties no weights, of nobody."""
    seen, others = [], []
    tie = PreTrainedModel.tie_weights

    def second():
        seen.append("second")

    def first():
        others.append(threading.Thread(target=pretrained, args=(watched(second), folder, HALF)))
        others[0].start()
        others[0].join(timeout=0.5)
        seen.append("first")

    pretrained(watched(first), folder, HALF)
    others[0].join()

    assert seen == ["first", "second"]
    assert PreTrainedModel.tie_weights is tie


@pytest.mark.parametrize("is_there", [True, False])
def test_transformers_is_left_as_it_was(folder, tmp_path, is_there):
    """Whether the model came or not."""
    try:
        pretrained(KDVLPForTasks, folder if is_there else tmp_path, HALF)
    except OSError:
        assert not is_there

    assert modeling_utils.local_torch_dtype.__module__ == modeling_utils.__name__
    assert torch.get_default_dtype() == torch.float32

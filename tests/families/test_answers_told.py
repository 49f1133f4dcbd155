"""While an answer is generated its tokens are counted, which changes nothing about it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
import torch

import vl_core
from tests.builders import random_picture
from tests.families.generating import KINDS
from vl_core import progress
from vl_core.families import generation
from vl_core.model import on_device

EXAMPLE = vl_core.Example(random_picture((120, 90)), "what color is the star?")


@pytest.fixture(params=KINDS)
def model(request, tmp_path):
    """One that generates, of each way in which a family does; up to seven tokens."""
    return vl_core.load(str(KINDS[request.param].save(tmp_path))).with_longest_answer(7)


def test_each_token_is_heard_once(model):
    """The last one too; whoever does not listen gets the same answer."""
    family = model.family

    def answer(listening):
        with torch.inference_mode(), listening:
            found = family.answered(on_device(family, family.inputs(EXAMPLE)))
        return found[next(one for one in ("decoder_input_ids", "input_ids") if one in found)]

    counts = []
    heard = answer(generation.heard(counts.append))
    assert torch.equal(heard, answer(nullcontext()))
    assert counts == list(range(1, len(counts) + 1))
    assert len(counts) == len(model.trace(EXAMPLE).prediction.top) <= 7


def test_a_trace_tells_how_far_its_answer_is(model, monkeypatch):
    """Each token as it comes, out of as many as there may be."""
    monkeypatch.setattr(progress, "EVERY", 0.0)
    steps = []
    trace = model.trace(EXAMPLE, steps.append)

    told = [step for step in steps if "token" in step]
    assert told == [
        f"Running the model: token {i + 1} of an answer of at most 7"
        for i in range(len(trace.prediction.top))
    ]


def test_another_thread_hears_nothing():
    """A model has several visitors at once, and a listener is forgotten when it is done."""
    with generation.heard([].append), ThreadPoolExecutor(1) as pool:
        assert generation._LISTENER.get() is not None
        assert pool.submit(generation._LISTENER.get).result() is None
    assert generation._LISTENER.get() is None

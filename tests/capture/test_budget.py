"""What a trace takes is known before the run, and what does not fit is not kept."""

import numpy as np
import pytest

import vl_core
from tests.builders import random_picture
from tests.families.test_llava import save
from vl_core import capture, head_stats
from vl_core.capture.budget import Estimate, Plan
from vl_core.errors import BudgetError
from vl_core.example import Example


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A decoder of 3 layers behind a tower of 4."""
    return vl_core.load(str(save(tmp_path_factory.mktemp("llava"))))


@pytest.fixture(scope="module")
def example():
    """A picture and a question."""
    return Example(random_picture((330, 190)), "what color is the star?")


def kept_bytes(trace):
    """What the arrays of a trace really take, by stack and by stream."""
    stacks = {}
    for name, stack in trace.stacks.items():
        kept = [block.kept for layer in stack.blocks for block in layer]
        arrays = [
            getattr(one, part, np.zeros(0))
            for one in kept
            for part in ("values", "queries", "keys")
        ]
        stacks[name] = sum(array.nbytes for array in arrays if array.size)
    return stacks, {name: one.packed_states.nbytes for name, one in trace.streams.items()}


def test_the_estimate_is_what_a_trace_takes(model, example):
    """Of the tokens that the trace has, by stack and by stream, to the byte."""
    trace = model.trace(example)
    tables = {name: stream.tokens for name, stream in trace.streams.items()}

    estimate = model.footprint.estimate(tables)

    assert (dict(estimate.stacks), dict(estimate.streams)) == kept_bytes(trace)
    assert list(estimate.stacks) == ["language", "vision tower"]


def test_before_the_run_only_the_answer_is_missing(model, example):
    """The vision tower is known to the byte; of the language all but what it will say."""
    before = model.estimate(example)
    stacks, streams = kept_bytes(model.trace(example))

    assert before.stacks["vision tower"] == stacks["vision tower"]
    assert before.streams["vision tower"] == streams["vision tower"]
    assert 0 < before.streams["language"] < streams["language"]


def test_what_does_not_fit_is_measured_and_not_kept(model, example):
    """With room for the language's attention alone, all statistics are there, and one stack."""
    whole = model.trace(example)
    room = kept_bytes(whole)[0]["language"]

    trace = model.trace(example, budget=room)

    assert trace.stacks["language"].is_kept
    assert not trace.stacks["vision tower"].is_kept
    assert [len(one.packed_states) for one in trace.streams.values()] == [0, 0]
    for name, stack in whole.stacks.items():
        for key, values in stack.head_stats.items():
            np.testing.assert_array_equal(trace.stacks[name].head_stats[key], values)
    with pytest.raises(BudgetError, match="not kept"):
        trace.stacks["vision tower"].weights[0, 0]


def test_what_was_not_kept_outlives_its_file(model, example, tmp_path):
    """A stored trace knows as well what it does not have."""
    model.trace(example, budget=0).save(tmp_path / "a")
    loaded = vl_core.Trace.load(tmp_path / "a")

    assert not any(stack.is_kept for stack in loaded.stacks.values())
    assert np.isfinite(head_stats.ENTROPY.of(loaded.stacks["language"])).all()


@pytest.mark.parametrize(
    ("budget", "stacks", "streams"),
    [
        (0, [], []),
        (7, [], ["t"]),
        (9, ["b"], []),
        (10, ["a"], []),
        (17, ["a"], ["t"]),
        (18, ["a", "b"], []),
        (30, ["a"], ["s"]),
        (100, ["a", "b", "c"], ["s", "t"]),
    ],
)
def test_the_first_stack_and_stream_come_first(budget, stacks, streams):
    """Then whatever still fits, in order."""
    estimate = Estimate({"a": 10, "b": 8, "c": 40}, {"s": 20, "t": 7})

    plan = Plan.within(budget, estimate)

    assert (plan.stacks, plan.streams) == (stacks, streams)
    assert estimate.total == 85


def test_a_model_that_was_not_heard_has_no_estimate():
    """Nothing is made up."""
    assert capture.Footprint(lambda _: ()).estimate({}).total == 0

"""What a trace takes is known before the run, and what does not fit is not kept."""

import itertools
from dataclasses import replace
from inspect import unwrap

import numpy as np
import pytest
import torch

import vl_core
from tests.builders import random_picture, random_tokens
from tests.capture.test_keeping import evaluation
from tests.families import generating, test_blip2, test_gemma3, test_paligemma, tiny
from tests.families.test_llava import save
from vl_core import capture, head_stats
from vl_core.capture import Place
from vl_core.capture.budget import Estimate, Plan
from vl_core.capture.masks import LiveMask
from vl_core.errors import BudgetError
from vl_core.example import Example, joined_parts


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A decoder of 3 layers behind a tower of 4."""
    return vl_core.load(str(save(tmp_path_factory.mktemp("llava"))))


@pytest.fixture(scope="module")
def example():
    """A picture and a question."""
    return Example(random_picture((330, 190)), "what color is the star?")


@pytest.fixture(scope="module")
def halved(tmp_path_factory):
    """The same in half precision, in which queries and keys are kept as they are."""
    return vl_core.load(str(save(tmp_path_factory.mktemp("llava"))), precision="bfloat16")


def kept_bytes(trace):
    """What the arrays of a trace really take, by stack and layer, and by stream."""
    stacks = {}
    for name, stack in trace.stacks.items():
        stacks[name] = {
            number: sum(
                getattr(block.kept, part).nbytes
                for block in layer
                for part in ("values", "queries", "keys")
                if hasattr(block.kept, part)
            )
            for number, layer in zip(stack.layers, stack.blocks, strict=True)
        }
    return stacks, {name: one.packed_states.nbytes for name, one in trace.streams.items()}


def estimated(model, trace):
    """Of the tokens that the trace has."""
    return model.footprint.estimate({name: one.tokens for name, one in trace.streams.items()})


def test_the_estimate_is_what_a_trace_takes(halved, example):
    """By stack, layer and stream, to the byte, where half precision is all there is."""
    trace = halved.trace(example)
    estimate = estimated(halved, trace)

    assert (dict(estimate.stacks), dict(estimate.streams)) == kept_bytes(trace)
    assert list(estimate.stacks) == ["language", "vision tower"]
    assert estimate.total == trace.n_bytes


def test_single_precision_may_be_kept(model, example):
    """A float32 model is estimated as if all digits were needed, or weights where they are less."""
    trace = model.trace(example)
    estimate = estimated(model, trace)
    n_tokens = len(trace.streams["language"].tokens)

    assert estimate.stacks["language"] == dict.fromkeys(range(3), n_tokens * 8 * (6 + 2) * 4)
    assert estimate.stacks["vision tower"] == dict.fromkeys(range(4), 17 * 17 * 5 * 2)
    assert kept_bytes(trace)[0]["language"][0] == estimate.stacks["language"][0] / 2
    assert estimate.total >= trace.n_bytes


def save_t5(folder):
    """A language model whose layers share a bias."""
    kinds = test_blip2.Blip2Config, test_blip2.Blip2ForConditionalGeneration
    return test_blip2.save(folder, *kinds, test_blip2.T5, tiny.t5("<image>"))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("saved", [test_paligemma.save, test_gemma3.save, save_t5])
def test_tables_and_biases_are_counted(tmp_path, example, saved, precision):
    """Once for all layers that share them; at load, PaliGemma's mask hides nothing yet."""
    model = vl_core.load(str(saved(tmp_path)), precision=precision)
    trace = model.trace(example)
    arrays = {}
    for stack in trace.stacks.values():
        for block in itertools.chain(*stack.blocks):
            bias = getattr(block.kept, "bias", None)
            parts = (block.kept.mask.allowed, *(vars(bias).values() if bias else ()))
            arrays |= {id(part): part.nbytes for part in parts if part is not None}
    stacks, streams = kept_bytes(trace)
    attention = sum(sum(layers.values()) for layers in stacks.values())

    estimate = estimated(model, trace)

    assert 0 < sum(arrays.values()) <= estimate.masks
    assert trace.n_bytes == attention + sum(streams.values()) + sum(arrays.values())
    assert trace.n_bytes <= estimate.total


@pytest.mark.parametrize("name", generating.KINDS)
def test_before_the_run_an_answer_counts_as_long_as_it_may_become(tmp_path, example, name):
    """To the byte where it becomes so long, and a trace of a shorter one takes less."""
    kind = generating.KINDS[name]
    model = vl_core.load(str(kind.save(tmp_path)), precision="bfloat16")
    kind.end_by(model.family, generating.NEVER)

    before = model.estimate(example)
    trace = model.trace(example)

    assert trace.prediction.is_cut_off
    assert before == estimated(model, trace)
    assert trace.n_bytes <= before.total


def test_a_candidate_counts_as_it_is(halved, example):
    """It stands where an answer would, and nothing is generated behind it."""
    text, breaks = joined_parts([example.text, "red"])
    judged = Example(example.image, text, task="candidate", breaks=breaks)

    before = halved.estimate(judged)

    assert before.total == halved.trace(judged).n_bytes


def test_what_does_not_fit_is_measured_and_not_kept(halved, example):
    """With room for two layers of the language, all statistics are there, and these two layers."""
    whole = halved.trace(example)
    sizes = kept_bytes(whole)[0]
    room = 2 * sizes["language"][0] + sizes["vision tower"][0] - 1

    trace = halved.trace(example, budget=room)

    language, tower = trace.stacks.values()
    assert language.kept_layers == (0, 2)
    assert tower.kept_layers == ()
    assert [len(one.packed_states) for one in trace.streams.values()] == [0, 0]
    for name, stack in whole.stacks.items():
        for key, values in stack.head_stats.items():
            np.testing.assert_array_equal(trace.stacks[name].head_stats[key], values)
    for layer in (0, 2):
        np.testing.assert_array_equal(
            language.weights[layer], whole.stacks["language"].weights[layer]
        )
    for stack, layer in ((language, 1), (tower, 0)):
        with pytest.raises(BudgetError, match="not kept"):
            stack.weights[layer, 0]


def test_what_was_not_kept_outlives_its_file(model, example, tmp_path):
    """A stored trace knows as well what it does not have."""
    model.trace(example, budget=0).save(tmp_path / "a")
    loaded = vl_core.Trace.load(tmp_path / "a")

    assert not any(stack.is_kept for stack in loaded.stacks.values())
    assert np.isfinite(head_stats.ENTROPY.of(loaded.stacks["language"])).all()


LAYERS = {"a": {0: 6, 1: 6, 2: 6}, "b": {0: 3, 4: 5}, "c": {0: 40}}


@pytest.mark.parametrize(
    ("budget", "stacks", "streams"),
    [
        (0, [(), (), ()], []),
        (5, [(), (4,), ()], []),
        (7, [(2,), (), ()], []),
        (17, [(0, 2), (4,), ()], []),
        (18, [(0, 1, 2), (), ()], []),
        (26, [(0, 1, 2), (0, 4), ()], []),
        (25, [(0, 1, 2), (4,), ()], []),
        (38, [(0, 1, 2), (), ()], ["s"]),
        (53, [(0, 1, 2), (0, 4), ()], ["s", "t"]),
        (93, [(0, 1, 2), (0, 4), (0,)], ["s", "t"]),
    ],
)
def test_the_first_stack_and_stream_come_first(budget, stacks, streams):
    """Then whatever still fits, in order."""
    estimate = Estimate(LAYERS, {"s": 20, "t": 7})

    plan = Plan.within(budget, estimate)

    assert (list(plan.stacks.values()), plan.streams) == (stacks, streams)
    assert estimate.total == 93


def test_tables_are_kept_before_all_else():
    """Layers that are not kept have their masks all the same."""
    estimate = Estimate(LAYERS, {"s": 20}, masks=4)

    assert estimate.total == 90
    assert Plan.within(15, estimate).stacks == {"a": (2,), "b": (4,), "c": ()}


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (1, [9]),
        (2, [0, 9]),
        (3, [0, 5, 9]),
        (4, [0, 3, 6, 9]),
        (9, [0, 1, 2, 3, 5, 6, 7, 8, 9]),
        (10, range(10)),
    ],
)
def test_layers_are_kept_evenly_over_the_depth(room, kept):
    """The last, then the first, then those between."""
    plan = Plan.within(room, Estimate({"a": dict.fromkeys(range(10), 1)}, {}))

    assert plan.stacks["a"] == tuple(kept)


def test_a_model_that_was_not_heard_has_no_estimate():
    """Nothing is made up."""
    assert capture.Footprint(lambda _: ()).estimate({}).total == 0


def test_a_bias_of_distances_is_counted_once():
    """Two places and a number of each head for each token, though two layers have it."""
    places = [Place("answer", "answer", "answer", layer) for layer in range(2)]
    footprint = capture.Footprint(lambda name: places[int(name) : int(name) + 1])
    mask = LiveMask((9, 9), torch.device("cpu"), bias=torch.ones(3, 9, 9).tril())
    for layer in range(2):
        footprint.hear(str(layer), [evaluation(queries=9, keys=9, mask=mask)])
    tokens = random_tokens()

    estimate = footprint.estimate({"answer": tokens})

    assert estimate.masks == 2 * len(tokens) * (8 + 3 * 4)


def test_of_one_query_nothing_is_known_of_distances():
    """Any bias of one row follows from distances; a longer one may not, and then is weights."""
    place = Place("answer", "answer", "answer", 0)
    footprint = capture.Footprint(lambda _: (place,))
    generator = torch.Generator().manual_seed(0)
    bias = torch.randn(1, 3, 1, 9, generator=generator)
    footprint.hear("it", [evaluation(queries=1, keys=9, dim=1, mask=LiveMask.of(bias, 0, (1, 9)))])
    tokens = random_tokens()

    assert footprint.estimate({"answer": tokens}).stacks == {
        "answer": {0: 3 * 2 * len(tokens) ** 2}
    }


@pytest.mark.parametrize(("n_parts", "size"), [(1, 15 * 15), (3, 15 * 6)])
def test_masks_of_tiles_are_no_larger_than_tiles(n_parts, size):
    """A mask that hides nothing may hide something of other tokens; of a tile, within the tile."""
    place = Place("tower", "tower", "tower", 0)
    footprint = capture.Footprint(lambda _: (place,))
    mask = LiveMask.of(torch.zeros(1, 1, 6, 6), 0, (6, 6))
    footprint.hear("it", [evaluation(queries=6, keys=6, mask=mask) for _ in range(n_parts)])

    assert footprint.estimate({"tower": random_tokens(n_text=7)}).masks == size


def test_a_module_with_two_places_has_an_evaluation_of_each():
    """As LXMERT's: words look at patches, then patches at words."""
    places = (Place("t<-v", "t", "v", 0), Place("v<-t", "v", "t", 0))
    footprint = capture.Footprint(lambda _: places)
    bias = torch.randn(1, 3, 5, 9, generator=torch.Generator().manual_seed(0))
    plain = evaluation(queries=5, keys=9, dim=1)
    footprint.hear("it", [plain, replace(plain, mask=LiveMask.of(bias, 0, (5, 9)))])
    tables = {"t": random_tokens(), "v": random_tokens(n_text=7)}

    stacks = footprint.estimate(tables).stacks

    assert stacks == {"t<-v": {0: (12 + 15) * 3 * 4}, "v<-t": {0: 12 * 15 * 3 * 2}}


@pytest.mark.parametrize("budget", [-1, "1GB", None, float("nan")])
def test_a_budget_is_a_number_of_bytes(budget):
    """What is none is told so; nothing checks types where the app runs."""
    with pytest.raises(BudgetError, match="a number of bytes from 0 on is wanted"):
        unwrap(capture.budget.check)(budget)


@pytest.mark.parametrize("budget", [0, 1e9, np.int64(5)])
def test_any_number_of_bytes_will_do(budget):
    """Whole or not, of Python's or of numpy's."""
    unwrap(capture.budget.check)(budget)

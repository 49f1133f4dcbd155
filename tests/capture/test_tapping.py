"""A model that no function of ours can be put into is overheard, as a last resort."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

import vl_core
from tests.builders import random_picture
from tests.capture import zoo
from tests.families import tiny
from tests.families.checks import FamilyChecks
from vl_core import capture, families
from vl_core.attribution.ablation import ROLES, HeadMeans, head_effects, head_means
from vl_core.capture import Evaluation, Recorder, adapters, tap, tapping
from vl_core.capture.tap import tapped
from vl_core.capture.tapping import Overheard
from vl_core.errors import ModelError
from vl_core.families.geometry import Frame
from vl_core.families.loading import pretrained
from vl_core.families.single_stream import Pictures, SingleStream

SIZE, PATCH, WIDTH, HEADS = (48, 32), 8, 40, 5


class HomemadeConfig(PreTrainedConfig):
    """Of a research model."""

    model_type = "homemade"

    def __init__(self, n_layers=3, vocabulary=20, **options):
        self.n_layers, self.vocabulary = n_layers, vocabulary
        super().__init__(**options)


class Attention(nn.Module):
    """Written out by hand, as one finds it."""

    def __init__(self):
        super().__init__()
        self.projections = nn.Linear(WIDTH, 3 * WIDTH)

    def forward(self, states, mask):
        """Multiply, softmax, multiply."""
        parts = self.projections(states).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = parts
        scores = query @ key.transpose(-1, -2) / (WIDTH / HEADS) ** 0.5 + mask
        return (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)


class Layer(nn.Module):
    """Attention and a residual."""

    def __init__(self):
        super().__init__()
        self.attention = Attention()

    def forward(self, hidden_states, mask):
        """Normed, so that states stay where they can be read."""
        return nn.functional.layer_norm(
            hidden_states + self.attention(hidden_states, mask), (WIDTH,)
        )


class Homemade(PreTrainedModel):
    """Words and patches in one stream, and a head for two answers."""

    config_class = HomemadeConfig

    def __init__(self, config):
        super().__init__(config)
        self.words = nn.Embedding(config.vocabulary, WIDTH)
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.layers = nn.ModuleList(Layer() for _ in range(config.n_layers))
        self.answer = nn.Linear(WIDTH, 2)
        self.post_init()

    def forward(self, input_ids, attention_mask, pixel_values=None):
        """A mask that hides padding."""
        states, seen = self.words(input_ids), attention_mask
        if pixel_values is not None:
            patches = self.patches(pixel_values).flatten(2).transpose(1, 2)
            states = torch.cat([states, patches], dim=1)
            seen = torch.cat([seen, seen.new_ones(len(patches), patches.shape[1])], dim=1)
        mask = (1.0 - seen[:, None, None].to(states.dtype)) * torch.finfo(states.dtype).min
        for layer in self.layers:
            states = layer(states, mask)
        return SequenceClassifierOutput(logits=self.answer(states[:, 0]))


def load(path, options):
    """The family of it, in a declaration."""

    def pixels(picture):
        values = np.asarray(picture.resize(SIZE)) / np.float32(255)
        return torch.from_numpy(values).permute(2, 0, 1)[None]

    return SingleStream(
        name="homemade",
        model=pretrained(Homemade, path, options),
        tokenizer=AutoTokenizer.from_pretrained(path),
        pictures=Pictures(pixels, lambda size: Frame.of(size).resized(SIZE), PATCH),
        sequence=("text", "patches"),
        layers="layers",
        attention="attention",
        answers=("yes", "no"),
        longest=40,
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A checkpoint of it, while its family is known."""
    folder = tmp_path_factory.mktemp("homemade")
    tokenizer = tiny.tokenizer()
    model = Homemade(HomemadeConfig(vocabulary=len(tokenizer)))
    tiny.sharpened(model).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    known = dict(families.FAMILIES)
    families.FAMILIES["homemade"] = __name__
    yield folder
    families.FAMILIES.clear()
    families.FAMILIES.update(known)


class TestHomemade(FamilyChecks):
    """All that is checked of a family holds."""

    pass_rates = {}  # noqa: RUF012 the probe mixes nothing by our function, which this one ignores

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, saved):
        """The checkpoint."""
        return saved

    def test_what_is_kept_is_what_was_heard(self, model, example):
        """Weights of each layer in half precision, patches in their places."""
        trace = model.trace(example)
        stack = trace.stacks["encoder"]

        assert stack.weights.shape == (3, 5, 30, 30)
        assert trace.streams["encoder"].tokens.boxes[-1].tolist() == [275.0, 142.5, 330.0, 190.0]

    def test_threads_hear_only_themselves(self, model):
        """Hooks are every thread's: traces made at the same time are those made in turn."""
        examples = [
            vl_core.Example(random_picture(self.size, seed), f"what {'is ' * seed}red ?")
            for seed in range(4)
        ]
        alone = [model.trace(one) for one in examples]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(model.trace, examples * 3))

        for one, other in zip(alone * 3, together, strict=True):
            first, second = (trace.stacks["encoder"] for trace in (one, other))
            np.testing.assert_array_equal(first.weights[2], second.weights[2])

    def test_the_estimate_counts_weights(self, model, example):
        """There are no queries and keys to keep."""
        trace = model.trace(example)

        estimate = model.estimate(example)

        assert estimate.stacks["encoder"] == dict.fromkeys(range(3), 5 * 30 * 30 * 2)
        assert trace.n_bytes == estimate.total - estimate.masks

    def test_heads_that_cannot_be_left_out_are_not_said_to_have_no_effect(self, model, example):
        """What is asked for ends in a sentence."""
        values = np.zeros((3, HEADS, len(ROLES), WIDTH // HEADS), np.float32)
        means = HeadMeans(values, np.ones(len(ROLES), int), model.provenance.weights_hash)

        wanted = r"^layers\.0\.attention \(and 2 more\) of this model computes attention in code of"
        with pytest.raises(ModelError, match=wanted):
            head_means(model, [example])
        with pytest.raises(ModelError, match=wanted):
            head_effects(model, example, means)


def test_hidden_keys_are_told_by_their_zeros():
    """What no head gives anything is hidden; a causal mask is recognised."""
    weights = torch.rand(3, 4, 4).tril().softmax(-1)
    weights = (weights * torch.ones(4, 4).tril()) / (weights * torch.ones(4, 4).tril()).sum(-1)[
        ..., None
    ]
    heard = Overheard(weights)

    assert heard.mask == vl_core.trace.Mask("causal")
    assert heard.allowed(slice(1, 3)).tolist() == [[True, True, False, False], [True] * 3 + [False]]


@pytest.fixture
def partly_known(monkeypatch):
    """BLIP, were the attention of its tower not known here; attention modules by name."""
    torch.manual_seed(0)
    specimen = zoo.blip_caption()
    with tapped(specimen.model) as matrices:
        specimen.run()
    forwards = {
        kind: own for kind, own in adapters._FORWARDS.items() if "BlipAttention" not in kind
    }
    monkeypatch.setattr(adapters, "_FORWARDS", forwards)
    return specimen, matrices


def test_only_modules_that_are_not_reached_are_overheard(partly_known):
    """The others are captured with queries and keys; weights of both are the model's own."""
    specimen, matrices = partly_known

    figures = capture.measured_at_load(specimen.model, specimen.inputs, list(matrices))
    with capture.recording(specimen.model) as recorder:
        specimen.run()

    assert max(figures.values()) < 1e-5
    assert recorder.heard == {name: len(found) for name, found in matrices.items()}
    for name, found in matrices.items():
        kind = Overheard if "vision_model" in name else Evaluation
        for heard, own in zip(recorder.evaluations[name], found, strict=True):
            assert type(heard) is kind, name
            rows = heard.rows(slice(None), slice(None))
            torch.testing.assert_close(rows, own, atol=1e-5, rtol=0, msg=name)


def test_what_is_reached_costs_no_tap(partly_known, monkeypatch):
    """Weights of captured modules are not worked out a second time."""
    specimen, matrices = partly_known
    capture.measured_at_load(specimen.model, specimen.inputs, list(matrices))
    told = []
    monkeypatch.setattr(Recorder, "take", lambda _, name, heard: told.append((name, heard)))
    worked_out = []
    monkeypatch.setitem(
        tap._WEIGHTS,
        torch.nn.functional.scaled_dot_product_attention,
        lambda *_: worked_out.append(1),
    )

    with capture.recording(specimen.model):
        specimen.run()

    assert {name for name, heard in told if isinstance(heard, Evaluation)}
    assert not worked_out


def test_a_copy_of_the_model_is_overheard_as_well(partly_known):
    """What was found at load goes with the model."""
    specimen, matrices = partly_known
    capture.measured_at_load(specimen.model, specimen.inputs, list(matrices))
    twin = copy.deepcopy(specimen.model)

    with torch.inference_mode(), capture.recording(twin) as recorder:
        twin(**specimen.inputs)

    assert set(recorder.heard) == set(matrices)


def test_what_can_only_be_overheard_is_neither_changed_nor_differentiated(partly_known):
    """Asked for by name or among all; the modules beside it are."""
    specimen, matrices = partly_known
    capture.measured_at_load(specimen.model, specimen.inputs, list(matrices))
    unreached = min(tapping.overheard(specimen.model))
    reached = [name for name in matrices if "vision_model" not in name]
    assert len(reached) > 1
    plain, offered = specimen.run()[0], []

    def double(name, output):
        offered.append(name)
        return 2 * output

    for modules in (None, [*reached, unreached]):
        for block in (
            capture.editing(specimen.model, double, modules),
            capture.differentiable(specimen.model, modules),
        ):
            with pytest.raises(ModelError, match=f"^{unreached} .*code of its own"), block:
                pytest.fail("the block was entered")
    with torch.no_grad(), capture.editing(specimen.model, double, reached[1:]):
        changed = specimen.run()[0]
    with torch.enable_grad(), capture.differentiable(specimen.model, reached[1:]) as kept:
        specimen.model(**specimen.inputs)

    assert set(offered) == set(reached[1:]) == set(kept)
    assert not torch.equal(changed, plain)


@pytest.fixture
def overheard(partly_known):
    """Two models that are overheard, of one specimen."""
    specimen, matrices = partly_known
    capture.measured_at_load(specimen.model, specimen.inputs, list(matrices))
    return specimen.model, copy.deepcopy(specimen.model), specimen.inputs


def in_time(*steps):
    """Each step in a thread of its own, one beginning when the one before is done; within 20 s."""
    for step in steps:
        thread = threading.Thread(target=step, daemon=True)
        thread.start()
        thread.join(20)
        assert not thread.is_alive(), "it waits for what never comes"


def test_a_recording_within_another_hears_alone(overheard):
    """In one thread, of one model; the outer one goes on when the inner one is over."""
    model, _, inputs = overheard
    heard = []

    @torch.inference_mode()
    def nested():
        with capture.recording(model) as outer:
            model(**inputs)
            with capture.recording(model) as inner:
                model(**inputs)
        heard.extend([outer.heard, inner.heard])

    in_time(nested)

    outer, inner = heard
    assert outer == inner
    assert set(tapping.overheard(model)) <= set(inner)


def test_nobody_waits_for_a_recording_of_another_thread(overheard):
    """Neither of another model nor of the same one, which a thread holds all the while."""
    first, second, inputs = overheard
    heard, entered, leave = {}, threading.Event(), threading.Event()

    @torch.inference_mode()
    def record(name, model):
        with capture.recording(model) as recorder:
            model(**inputs)
        heard[name] = recorder.heard

    def hold():
        with capture.recording(first) as recorder:
            entered.set()
            leave.wait(40)
        heard["holder"] = recorder.heard

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    assert entered.wait(20)
    try:
        in_time(lambda: record("second", second), lambda: record("first", first))
    finally:
        leave.set()
    holder.join(20)

    assert heard["first"] == heard["second"]
    assert set(tapping.overheard(first)) <= set(heard["first"])
    assert not heard["holder"]


def test_recordings_of_two_models_may_be_nested_in_either_order(overheard):
    """Two threads, each within what the other one wants next: both get there, and hear their own.

    Were models had in turn, each thread would wait for the other for ever.
    """
    first, second, inputs = overheard
    both_inside, heard = threading.Barrier(2), {}

    @torch.inference_mode()
    def nested(name, outer, inner):
        with capture.recording(outer) as around:
            both_inside.wait(20)
            with capture.recording(inner) as within:
                inner(**inputs)
            outer(**inputs)
        heard[name] = around, within

    threads = [
        threading.Thread(target=nested, args=("one", first, second), daemon=True),
        threading.Thread(target=nested, args=("other", second, first), daemon=True),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert heard.keys() == {"one", "other"}, "they wait for each other"
    with torch.inference_mode(), capture.recording(first) as alone:
        first(**inputs)
    for recorder in (*heard["one"], *heard["other"]):
        assert recorder.heard == alone.heard
        for name in tapping.overheard(first):
            both = recorder.evaluations[name], alone.evaluations[name]
            for found, wanted in zip(*both, strict=True):
                assert torch.equal(found.weights, wanted.weights)


def test_another_model_within_a_recording_is_not_taken_for_the_recorded_one(overheard):
    """What is overheard of it belongs to no module of the model that is recorded."""
    first, second, inputs = overheard

    with torch.inference_mode(), capture.recording(first) as recorder:
        first(**inputs)
        wanted = dict(recorder.heard)
        second.vision_model(inputs["pixel_values"])

    assert recorder.heard == wanted


def test_models_that_are_reached_are_not_overheard():
    """The tap is the last resort."""
    torch.manual_seed(0)
    specimen = zoo.blip_caption()
    with tapped(specimen.model) as matrices:
        specimen.run()

    capture.measured_at_load(specimen.model, specimen.inputs, list(matrices))

    assert tapping.overheard(specimen.model) == []

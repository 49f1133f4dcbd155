"""From a checkpoint and an example to a trace."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import BatchFeature

import vl_core
from tests.builders import random_picture
from tests.checkpoints import save_kdvlp
from tests.families.test_idefics3 import save_smolvlm
from vl_core import capture, families, head_stats, progress
from vl_core.answers import Answer
from vl_core.checkpoints import Checkpoint
from vl_core.errors import BudgetError, ModelError, TextError
from vl_core.families.kdvlp import KDVLPForTasks

SIZE = (330, 190)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny random checkpoint."""
    return save_kdvlp(tmp_path_factory.mktemp("kdvlp"))


@pytest.fixture(scope="module")
def model(folder):
    """The checkpoint, loaded."""
    return vl_core.load(str(folder))


@pytest.fixture(scope="module")
def example():
    """A picture that is not square, a question and a box that one of its words names."""
    region = vl_core.Region("star", (20.0, 30.0, 200.0, 150.0), (18, 22))
    text = "what color is the star?"
    return vl_core.Example(random_picture(SIZE), text, (region,), answer="red")


@pytest.fixture(scope="module")
def trace(model, example):
    """What a run of the model leaves."""
    return model.trace(example)


@pytest.fixture(scope="module")
def plain(folder, example):
    """What the same checkpoint gives without any capture, on eager attention."""
    family = families.load(folder)
    family.model.set_attn_implementation("eager")
    with torch.inference_mode():
        return family.model(
            **family.inputs(example), output_attentions=True, output_hidden_states=True
        )


def test_a_trace_has_all_that_the_run_left(trace, example):
    """One stream and its stack: 3 layers, 5 heads, 8 text and special tokens, 5 x 8 cells."""
    stack = trace.stacks["encoder"]
    assert stack.weights.shape == (3, 5, 48, 48)
    assert stack.queries is stack.keys is trace.streams["encoder"].tokens
    assert stack.regions == example.regions
    assert trace.streams["encoder"].hidden_states.shape == (4, 48, 40)
    assert trace.example.original_size == SIZE
    assert trace.example.image.size == (128, 80)
    assert trace.example.answer == "red"


def test_weights_are_those_of_eager_attention(trace, plain):
    """What the trace gives back is within 2e-3 of what the plain model reports."""
    for layer, eager in enumerate(plain.attentions):
        assert abs(trace.stacks["encoder"].weights[layer] - eager[0].numpy()).max() < 2e-3


def test_hidden_states_are_the_models_own(trace, plain):
    """Embeddings first, then after each layer, before the final norm; stored in half precision."""
    expected = torch.cat(plain.hidden_states).numpy()
    scale = abs(expected).max(axis=(1, 2), keepdims=True)

    assert (abs(trace.streams["encoder"].hidden_states - expected) <= 1e-3 * scale).all()


def test_the_prediction_is_the_plain_models(trace, plain, model, example):
    """Capture changes no answer and no probability."""
    expected = model.family.prediction(example, BatchFeature(), plain)

    assert [name for name, _ in trace.prediction.top] == [name for name, _ in expected.top]
    np.testing.assert_allclose(
        [value for _, value in trace.prediction.top], [value for _, value in expected.top], 1e-5
    )


def test_an_answer_without_a_trace_is_the_same(trace, model, example):
    """And of what is to be scored there is none."""
    assert model.answer(example) == Answer(trace.prediction.top[0][0])

    text, breaks = vl_core.example.joined_parts(["what is it?", "a star"])
    with pytest.raises(TextError, match="a candidate to be scored"):
        model.answer(vl_core.Example(example.image, text, task="candidate", breaks=breaks))


def test_all_statistics_are_stored_as_measured_live(trace):
    """Every built-in statistic is there, and close to what the stored weights give."""
    stack = trace.stacks["encoder"]
    bare = replace(stack, head_stats={})
    for statistic in head_stats.STATISTICS:
        stored = statistic.of(stack)
        assert stored is stack.head_stats[statistic.key]
        np.testing.assert_allclose(stored, statistic.of(bare), atol=2e-3, rtol=2e-2)
    assert np.isfinite(head_stats.GROUNDING.of(stack)).all()


def test_provenance_says_where_a_trace_comes_from(trace, model, folder):
    """Model, weights, libraries, preprocessing and the four figures of fidelity."""
    provenance = trace.provenance

    assert provenance.model_id == model.model_id == str(folder)
    assert provenance.revision == "local"
    assert len(provenance.weights_hash) == 64
    assert provenance.family == "kdvlp"
    assert provenance.dtype == "float32"
    assert provenance.device in {"cpu", "cuda"}
    assert set(provenance.versions) == {"vl_core", "torch", "transformers", "numpy"}
    assert provenance.preprocessing["max_cells"] == 8
    assert set(provenance.fidelity) == {
        "output_on_off", "weights_vs_eager", "layer_on_off", "row_reconstruction",
    }  # fmt: skip
    assert provenance.fidelity["output_on_off"] < 1e-5
    assert provenance.fidelity["weights_vs_eager"] < 1e-5
    assert provenance.fidelity["row_reconstruction"] < 2e-3


def test_other_weights_have_another_hash(model, tmp_path):
    """The hash tells two checkpoints of one architecture apart."""
    other = vl_core.load(str(save_kdvlp(tmp_path, seed=1)))

    assert other.provenance.weights_hash != model.provenance.weights_hash


def test_a_processor_that_fails_on_its_first_picture_is_refused_at_load(tmp_path):
    """Some damage shows only when the model runs; it runs once before it is shown."""
    folder = save_kdvlp(tmp_path)
    path = folder / "processor_config.json"
    config = json.loads(path.read_text())
    config["image_processor"]["image_mean"] = [0.5, 0.5]
    path.write_text(json.dumps(config))

    with pytest.raises(ModelError, match="cannot be loaded"):
        vl_core.load(str(folder))


def test_damage_is_told_by_the_models_name(tmp_path):
    """Whoever asked for it never learns where on the server it lies."""
    checkpoint = Checkpoint(save_kdvlp(tmp_path), "someone/small", "0" * 40)
    (tmp_path / "tokenizer.json").unlink()

    with pytest.raises(ModelError, match="someone/small") as caught:
        vl_core.model.loaded(checkpoint)

    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("stage", ["from_pretrained", "plain_outputs", "measured_at_load"])
def test_memory_that_ends_while_a_model_is_loaded_is_no_damage(folder, monkeypatch, stage):
    """While weights are read, while it runs, while it is checked."""

    def greedy(*_args, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    owner = KDVLPForTasks if stage == "from_pretrained" else capture
    monkeypatch.setattr(owner, stage, greedy)

    with pytest.raises(ModelError, match="There is not enough memory to load") as caught:
        vl_core.load(str(folder))
    assert "cannot be loaded" not in str(caught.value)


@pytest.mark.parametrize("error", [AttributeError, TypeError, RuntimeError, KeyError])
def test_a_mistake_of_our_own_is_not_taken_for_a_damaged_checkpoint(folder, monkeypatch, error):
    """Once the plain model has run, its files are not to blame."""

    def wrong(*_):
        raise error("ours")

    monkeypatch.setattr(capture.recorder.Recorder, "add", wrong)

    with pytest.raises(error, match="ours"):
        vl_core.load(str(folder))


def checked_inputs(folder, monkeypatch):
    """What a model is fed for the check when it is loaded."""
    fed, measure = [], capture.measured_at_load

    def noted(model, inputs, *rest):
        fed.append(inputs)
        return measure(model, inputs, *rest)

    monkeypatch.setattr(capture, "measured_at_load", noted)
    vl_core.load(str(folder))
    return fed[0]


def test_the_check_sees_one_tile_and_no_more_logits_than_one(tmp_path, monkeypatch):
    """A picture of any size makes 17 tiles for SmolVLM; logits of all tokens take gigabytes."""
    inputs = checked_inputs(save_smolvlm(tmp_path), monkeypatch)

    assert inputs["pixel_values"].shape[:2] == (1, 1)
    assert inputs["logits_to_keep"] == 1
    assert inputs["use_cache"] is False


def test_the_check_asks_nothing_that_a_model_does_not_know(folder, monkeypatch):
    """An encoder has no memory of tokens and one row of logits."""
    inputs = checked_inputs(folder, monkeypatch)

    assert not {"logits_to_keep", "use_cache"} & set(inputs)


def test_a_trace_outlives_its_file(trace, tmp_path):
    """Saved and loaded, it shows the same weights, statistics and prediction."""
    trace.save(tmp_path / "trace.safetensors")
    loaded = vl_core.Trace.load(tmp_path / "trace.safetensors")

    assert loaded.prediction == trace.prediction
    assert loaded.provenance == trace.provenance
    np.testing.assert_array_equal(
        loaded.stacks["encoder"].weights[2], trace.stacks["encoder"].weights[2]
    )


def test_text_alone_can_be_traced(model):
    """Without a picture there are only words, and statistics of patches are missing."""
    trace = model.trace(vl_core.Example(None, "what color is the star?"))

    assert trace.example.image is None
    assert trace.stacks["encoder"].weights.shape == (3, 5, 8, 8)
    assert np.isnan(head_stats.TEXT_TO_IMAGE_MASS.of(trace.stacks["encoder"])).all()


def test_a_model_is_told_in_one_line(model, folder):
    """By name, family, precision and device, and not layer by layer."""
    assert repr(model) == f"<Model {folder}: family kdvlp, float32 on cpu>"


def test_progress_is_told_in_words(model, example):
    """Each step is announced once."""
    steps = []

    model.trace(example, progress=steps.append)

    assert len(steps) == len(set(steps)) >= 2


def test_layers_are_counted_where_a_run_is_long(model, example, trace, monkeypatch):
    """Each once, out of all; what is kept is the same."""
    monkeypatch.setattr(progress, "EVERY", 0.0)
    steps = []

    told = model.trace(example, progress=steps.append)

    layers = [step for step in steps if "layer" in step]
    assert layers == [f"Measuring the heads: attention layer {i} of 3" for i in (1, 2, 3)]
    assert not any("token" in step for step in steps)  # this model writes no answer
    np.testing.assert_array_equal(
        told.stacks["encoder"].weights[1], trace.stacks["encoder"].weights[1]
    )


def test_examples_that_cannot_be_read_are_refused(model):
    """A question that is too long is an error before the model runs."""
    with pytest.raises(TextError, match="at most"):
        model.trace(vl_core.Example(None, "a " * 70))


def test_a_budget_below_nothing_is_refused_before_anything_is_run(model, example):
    """It would keep nothing, and say nothing of that."""
    steps = []

    with pytest.raises(BudgetError, match="a number of bytes from 0 on is wanted"):
        model.trace(example, steps.append, budget=-1)
    assert steps == []


def test_of_a_budget_of_nothing_all_is_measured_and_nothing_kept(model, example):
    """So whoever wants the statistics alone gets them."""
    stack = model.trace(example, budget=0).stacks["encoder"]

    assert stack.kept_layers == ()
    assert np.isfinite(head_stats.TEXT_TO_IMAGE_MASS.of(stack)).all()


def test_several_threads_may_trace_at_once(model):
    """Traces made at the same time are those made one after the other."""
    texts = ["what is this?", "is the star left of a star?", "color", "a star is what color?"]
    examples = [vl_core.Example(random_picture(SIZE, seed), t) for seed, t in enumerate(texts)]
    alone = [model.trace(example) for example in examples]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(model.trace, examples * 3))

    for expected, trace in zip(alone * 3, together, strict=True):
        assert trace.streams["encoder"].tokens.texts == expected.streams["encoder"].tokens.texts
        for layer in range(3):
            np.testing.assert_allclose(
                trace.stacks["encoder"].weights[layer],
                expected.stacks["encoder"].weights[layer],
                atol=1e-3,
            )
        np.testing.assert_allclose(
            [value for _, value in trace.prediction.top],
            [value for _, value in expected.prediction.top],
            atol=1e-5,
        )


def test_a_run_that_captures_too_little_is_an_error(model, example, monkeypatch):
    """A layer that falls silent after loading is noticed."""
    monkeypatch.setattr(capture.recorder.Recorder, "add", lambda *_: None)

    with pytest.raises(ModelError, match="0 of 3"):
        model.trace(example)


def test_unknown_names_are_refused(tmp_path):
    """What is neither the embedded model nor a checkpoint's folder."""
    with pytest.raises(ModelError, match=r"config\.json"):
        vl_core.load(str(tmp_path / "nowhere"))


def test_the_embedded_model_loads_and_is_faithful():
    """The model that ships: 6 layers, 8 heads, captured to rounding."""
    model = vl_core.load()
    trace = model.trace(vl_core.Example(random_picture((80, 130)), "what color is the star?"))

    assert trace.stacks["encoder"].weights.shape[:2] == (6, 8)
    assert trace.provenance.fidelity["weights_vs_eager"] < 1e-5
    assert trace.provenance.fidelity["row_reconstruction"] < 2e-3


@pytest.mark.parametrize(("precision", "row_error"), [("bfloat16", 3e-3), ("float16", 2e-3)])
def test_in_half_precision_it_is_as_faithful(precision, row_error):
    """Weights as exact; outputs of attention in bfloat16 are themselves rounded by 2e-3."""
    model = vl_core.load(precision=precision)
    trace = model.trace(vl_core.Example(random_picture((80, 130)), "what color is the star?"))

    assert trace.provenance.dtype == precision
    assert trace.provenance.fidelity["weights_vs_eager"] < 1e-5
    assert trace.provenance.fidelity["row_reconstruction"] < row_error


def test_importing_the_core_is_light():
    """Neither torch nor transformers is imported before a model is loaded."""
    code = (
        "import sys, vl_core, vl_core.trace, vl_core.families, vl_core.head_stats\n"
        "heavy = {'torch', 'transformers', 'scipy', 'sklearn', 'umap', 'streamlit'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"

"""Every architecture, captured against what it does when nobody has touched it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.capture import zoo
from vl_core import capture
from vl_core.capture.adapters import release
from vl_core.capture.fidelity import _tensors
from vl_core.capture.tap import Matrices, tapped

EVERYTHING = slice(None)


@dataclass(frozen=True)
class Runs:
    """One input, run on the untouched model and on the attached one.

    plain, tapped: what the untouched model gives, alone and with the tap listening. idle, heard:
    what the attached one gives, alone and with a recorder.
    """

    specimen: zoo.Specimen
    plain: dict[str, Tensor]
    tapped: dict[str, Tensor]
    idle: dict[str, Tensor]
    heard: dict[str, Tensor]
    matrices: Matrices
    evaluations: dict[str, list[capture.Evaluation]]


def runs_of(build: Callable[[], zoo.Specimen]) -> Runs:
    """The four runs."""
    torch.manual_seed(0)
    specimen = build()
    plain = dict(_tensors(specimen.run()))
    with tapped(specimen.model) as matrices:
        while_tapped = dict(_tensors(specimen.run()))
    capture.attach(specimen.model)
    idle = dict(_tensors(specimen.run()))
    with capture.recording(specimen.model) as recorder:
        heard = dict(_tensors(specimen.run()))
    evaluations = recorder.evaluations
    return Runs(specimen, plain, while_tapped, idle, heard, matrices, evaluations)


@pytest.fixture(scope="module", params=zoo.ZOO)
def runs(request):
    """Those of one architecture."""
    return runs_of(zoo.ZOO[request.param])


def counts(lists: dict[str, list[Any]]) -> dict[str, int]:
    """How many there are of each."""
    return {name: len(found) for name, found in lists.items()}


def test_every_evaluation_is_captured(runs):
    """As many as counted by hand, as many as the tap sees, in the same modules."""
    assert sum(counts(runs.evaluations).values()) == runs.specimen.n_evaluations
    assert counts(runs.evaluations) == counts(runs.matrices)


def test_captured_weights_are_those_of_the_untouched_model(runs):
    """Each head of each module and sequence, padded or not; every query here has a key."""
    for name, matrices in runs.matrices.items():
        for matrix, evaluation in zip(matrices, runs.evaluations[name], strict=True):
            rows = evaluation.rows(EVERYTHING, EVERYTHING)
            torch.testing.assert_close(rows, matrix, atol=1e-5, rtol=0, msg=name)


def test_keys_are_allowed_where_the_untouched_model_gives_them_weight(runs):
    """Softmax gives no key a weight of exactly 0 unless it is hidden."""
    for name, matrices in runs.matrices.items():
        for matrix, evaluation in zip(matrices, runs.evaluations[name], strict=True):
            looked_at = (matrix > 0).any(dim=0)
            assert not (looked_at & ~evaluation.allowed(EVERYTHING)).any(), name
            # Far from its query a key's weight may be too small for a float, in some places.
            assert (looked_at == evaluation.allowed(EVERYTHING)).float().mean() > 0.95, name


@pytest.mark.parametrize("attached", ["idle", "heard"])
def test_outputs_are_those_of_the_untouched_model(runs, attached):
    """Every tensor of them, however deep, with a recorder and without."""
    outputs = getattr(runs, attached)

    assert outputs.keys() == runs.plain.keys()
    for name, plain in runs.plain.items():
        atol = 1e-5 * max(1, float(plain.abs().max()))
        torch.testing.assert_close(outputs[name], plain, atol=atol, rtol=0, msg=name)


def test_listening_changes_nothing(runs):
    """To the last bit: neither the tap on the untouched model nor a recorder on the attached."""
    for name, plain in runs.plain.items():
        assert torch.equal(runs.tapped[name], plain), name
        assert torch.equal(runs.heard[name], runs.idle[name]), name


def test_specimens_can_tell_right_from_wrong(runs):
    """Even attention, equal heads or equal sequences would hide mistakes far above 1e-5."""
    for name, matrices in runs.matrices.items():
        for matrix in matrices:
            assert (matrix - 1 / matrix.shape[-1]).abs().sum(dim=-1).mean() > 0.01, name
            assert (matrix[0] - matrix[1]).abs().max() > 0.01, name
    assert any(
        (found[0] - found[-1]).abs().max() > 0.1
        for found in runs.matrices.values()
        if found[0].shape == found[-1].shape
    )
    if "attention_mask" in runs.specimen.inputs:
        masks = [heard[-1].mask for heard in runs.evaluations.values()]
        assert any(mask.allowed is not None for mask in masks)


@pytest.mark.parametrize("name", zoo.ZOO)
def test_every_architecture_passes_at_load(name):
    """On the implementation that it comes with, sdpa where there is one, and told its modules."""
    torch.manual_seed(0)
    specimen = zoo.ZOO[name]()
    with tapped(specimen.model) as matrices:
        specimen.run()
    if specimen.model._supports_sdpa:
        specimen.model.set_attn_implementation("sdpa")

    figures = capture.measured_at_load(specimen.model, specimen.inputs, list(matrices))

    assert set(figures) == {"output_on_off", "weights_vs_eager", "layer_on_off"}
    assert max(figures["weights_vs_eager"], figures["layer_on_off"]) < 1e-5
    assert figures["output_on_off"] < 1e-4
    with capture.recording(specimen.model) as recorder:
        specimen.run()
    recorder.check_complete(matrices)


GENERATIVE = (
    "blip_question", "blip_caption", "blip2", "instructblip", "pix2struct", "florence2", "mllama",
    "git", "llava", "llava_next", "llava_onevision", "paligemma", "gemma3", "qwen2_vl",
    "qwen2_5_vl", "qwen3_vl", "smolvlm", "idefics3", "internvl",
)  # fmt: skip


@pytest.mark.parametrize("name", GENERATIVE)
def test_generation_is_captured_and_unchanged(name):
    """The same ids as on eager attention, and each step's matrices, cached keys included."""
    torch.manual_seed(0)
    specimen = zoo.ZOO[name]()
    model = specimen.model
    inputs = {key: value for key, value in specimen.inputs.items() if "decoder" not in key}
    if "attention_mask" in inputs and name != "pix2struct":
        # Words are generated after the last one, so the shorter text would begin with padding.
        inputs["attention_mask"] = torch.ones_like(inputs["attention_mask"])
    options = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False, "use_cache": True}
    with tapped(model) as matrices:
        expected = model.generate(**inputs, **options)
    capture.attach(model)

    with capture.recording(model) as recorder:
        generated = model.generate(**inputs, **options)

    assert torch.equal(generated, expected)
    assert counts(recorder.evaluations) == counts(matrices)
    n_queries = {matrix.shape[1] for found in matrices.values() for matrix in found}
    assert 1 in n_queries  # the cache is in use
    for module, found in matrices.items():
        for matrix, evaluation in zip(found, recorder.evaluations[module], strict=True):
            rows = evaluation.rows(EVERYTHING, EVERYTHING)
            torch.testing.assert_close(rows, matrix, atol=1e-5, rtol=0, msg=module)


def test_a_module_that_is_called_twice_is_heard_twice():
    """LXMERT's cross-attention: text on regions, then the other way, for both sequences."""
    runs = runs_of(zoo.lxmert)

    heard = runs.evaluations["encoder.x_layers.1.visual_attention.att"]

    shapes = [tuple(each.rows(EVERYTHING, EVERYTHING).shape) for each in heard]
    assert shapes == [(4, 7, 5)] * 2 + [(4, 5, 7)] * 2


def test_each_window_is_an_evaluation():
    """Qwen2.5-VL's tower: 16, 8, 16 and 8 patches in windows of one layer, all in the other's."""
    runs = runs_of(zoo.qwen2_5_vl)

    sizes = {
        layer: [
            each.keys.shape[1] for each in runs.evaluations[f"model.visual.blocks.{layer}.attn"]
        ]
        for layer in (0, 1)
    }

    assert sizes == {
        0: [16, 16, 8, 8] * 2 if sizes[0][1] == 16 else [16, 8, 16, 8] * 2,
        1: [48, 48],
    }


def test_a_decoder_that_adds_its_masks_gets_numbers():
    """GIT's own attention shares the configuration; added, a boolean mask would hide nothing."""
    torch.manual_seed(0)
    specimen = zoo.git()
    plain = specimen.run().logits
    capture.attach(specimen.model)
    release(specimen.model)

    torch.testing.assert_close(specimen.run().logits, plain, atol=1e-5, rtol=0)

"""The weights that ship, and the card that describes them."""

import hashlib
import json

import pytest
import torch
from PIL import Image

import vl_core
from training.card import EMBEDDED, card
from training.evaluation.accuracy import subset_accuracy
from training.evaluation.subject import Subject
from training.findings import FINDINGS, findings
from vl_core.attribution.ablation import HeadMeans
from vl_core.datasets.scenes import QUESTION_TYPES, UNSEEN_SEEDS
from vl_core.families.kdvlp import KDVLPForTasks, KDVLPProcessor
from vl_core.findings import HEAD_MEANS

SINGLE_OBJECT = ("color", "shape", "size", "side", "exist")
OTHERS = (
    "count",
    "relation_query",
    "relation_verify",
    "extreme",
    "nearest",
    "compare_size",
    "same",
)


@pytest.fixture(scope="module")
def figures():
    """What `evaluation.json` says."""
    return json.loads((EMBEDDED / "evaluation.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model():
    """The shipped model."""
    return KDVLPForTasks.from_pretrained(EMBEDDED, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def processor():
    """The shipped processor."""
    return KDVLPProcessor.from_pretrained(EMBEDDED)


def test_card_shows_the_measured_figures():
    """The card is what its generator makes of the figures beside it, and says what it must."""
    text = (EMBEDDED / "README.md").read_text(encoding="utf-8")

    assert text == card(EMBEDDED)
    assert "re-implemented from the published description" in text
    assert "no parity" in text


def test_findings_show_the_measured_figures():
    """The page about attention is what its generator makes of the same figures."""
    assert FINDINGS.read_text(encoding="utf-8") == findings(EMBEDDED)


def test_figures_are_of_these_weights(figures):
    """The evaluation was made with the weights that are there, on enough unseen scenes."""
    weights = (EMBEDDED / "model.safetensors").read_bytes()
    accuracy = figures["accuracy"]

    assert figures["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert len(weights) < 20_000_000
    assert accuracy["scenes"] >= 5000
    assert min(row["questions"] for row in accuracy["types"].values()) >= 500
    assert all(seed in UNSEEN_SEEDS for seed in accuracy["seeds"])


def test_head_means_are_of_these_weights():
    """What takes a head's place was measured on the model that ships."""
    means = HeadMeans.load(HEAD_MEANS, vl_core.load("embedded").provenance.weights_hash)

    assert (means.n_layers, means.n_heads) == (6, 8)
    assert (means.counts > 0).all()


def test_figures_are_good_enough(figures):
    """What the project aims for, far from what can be had without looking."""
    accuracy = figures["accuracy"]

    assert set(accuracy["types"]) == set(QUESTION_TYPES)
    assert all(accuracy["types"][name]["model"] >= 0.97 for name in SINGLE_OBJECT)
    assert all(accuracy["types"][name]["model"] >= 0.9 for name in OTHERS)
    assert accuracy["mean"]["model"] >= 0.94
    assert accuracy["mean"]["question only"] < 0.45
    assert accuracy["mean"]["blank picture"] < 0.45
    assert accuracy["calibration"]["expected calibration error"] < 0.03


def test_tasks_of_the_original_are_learnt(figures):
    """Multiple choice, sources and captions, where words alone do not get near."""
    choices, sources = figures["multiple_choice"]["systems"], figures["sources"]["systems"]

    assert choices["model"]["Q->A"] >= 0.85
    assert choices["model"]["Q->AR"] >= 0.75
    for name in ("text only", "candidate only", "blank picture"):
        assert choices[name]["Q->A"] < 0.4
        assert choices[name]["QA->R"] < 0.4
    assert sources["model"]["retrieval F1"] >= 0.85
    assert sources["text only"]["retrieval F1"] < sources["model"]["retrieval F1"] - 0.1
    assert figures["captions"]["accuracy"]["model"] >= 0.9
    assert figures["speed"]["median"] < 60


def test_weights_answer_as_well_as_was_measured(figures):
    """On a small fixed set of questions the accuracy is the committed one, minus two points."""
    committed = figures["accuracy"]["subset"]["model"]

    assert subset_accuracy(Subject()) >= committed - 0.02


@torch.no_grad()
@pytest.mark.parametrize("size", [(128, 96), (80, 128)])
def test_a_cell_is_the_patch_that_the_model_saw(model, processor, size):
    """New pixels in a cell's box change that cell's embedding most, at the edges too."""
    torch.manual_seed(0)
    picture = Image.new("RGB", size, (166, 166, 166))
    inputs = processor(images=picture, text="the star", return_tensors="pt")
    n_text = inputs["input_ids"].shape[1]
    rows, columns = (side // 16 for side in inputs["pixel_values"].shape[2:])

    def embeddings(pixels):
        output = model.kdvlp(**(dict(inputs) | {"pixel_values": pixels}), output_hidden_states=True)
        return output.hidden_states[0][0, n_text:]

    before = embeddings(inputs["pixel_values"])
    for cell in range(rows * columns):
        row, column = divmod(cell, columns)
        change = torch.zeros(rows * columns)
        for _ in range(3):
            pixels = inputs["pixel_values"].clone()
            box = pixels[..., row * 16 : row * 16 + 16, column * 16 : column * 16 + 16]
            box.copy_(torch.randn_like(box))
            change += (embeddings(pixels) - before).norm(dim=-1)
        assert change.argmax() == cell

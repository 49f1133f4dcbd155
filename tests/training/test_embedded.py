"""The weights that ship, and the card that describes them."""

import hashlib
import json

import pytest
import torch
from PIL import Image

from training.card import EMBEDDED, card
from training.evaluate import subset_accuracy
from vl_core.datasets.scenes import QUESTION_TYPES, UNSEEN_SEEDS
from vl_core.families.kdvlp import KDVLPForTasks, KDVLPProcessor

MASTERED = ("color", "shape", "size", "side", "exist", "extreme")


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


def test_figures_are_of_these_weights(figures):
    """The evaluation was made with the weights that are there, on enough unseen scenes."""
    weights = (EMBEDDED / "model.safetensors").read_bytes()

    assert figures["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert len(weights) < 20_000_000
    assert figures["questions_per_type"] >= 500
    assert all(seed in UNSEEN_SEEDS for seed in figures["seeds"])


def test_figures_are_good_enough(figures):
    """The simple types stand at 90 %, the mean at 80 %, far from what the question alone gives."""
    assert set(figures["types"]) == set(QUESTION_TYPES)
    assert all(figures["types"][name]["model"] >= 0.9 for name in MASTERED)
    assert figures["mean"]["model"] >= 0.8
    assert figures["mean"]["question only"] < 0.45
    assert figures["mean"]["blank picture"] < 0.45


def test_weights_answer_as_well_as_was_measured(figures, model, processor):
    """On a small fixed set of questions the accuracy is the committed one, minus two points."""
    assert subset_accuracy(model, processor) >= figures["subset"]["model"] - 0.02


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

"""Steadying the backbone, and going on from weights that are there."""

import json
import random
from copy import deepcopy

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from training.group import Group
from training.labels import Labelled
from training.log import Log
from training.optimiser import as_bfloat16
from training.pictures import pixel_values
from training.recipe import Recipe, config, processor
from training.run import Run
from training.start import (
    has_start,
    keep_start,
    load_start,
    renew_task_words,
    start_curve,
    start_hash,
)
from training.steady import seen, steady
from vl_core.datasets.scenes import scene
from vl_core.datasets.scenes.words import PLACES, TASK_WORDS
from vl_core.families.kdvlp import KDVLPForTasks

RECIPE = Recipe(steady_steps=40, warmup_pictures=6, report_every=100)


@pytest.fixture
def run(tmp_path):
    """A run of one process in an empty folder."""
    return Run(RECIPE, Group(0, 1), tmp_path, Log(tmp_path / "log.jsonl", writes=False))


def new_model():
    """A model of the embedded model's shape."""
    torch.manual_seed(0)
    model = KDVLPForTasks(config())
    as_bfloat16(model)
    model.kdvlp.backbone.requires_grad_(requires_grad=False).eval()
    return model


@torch.no_grad()
def settle_norms(backbone, pictures):
    """Let the batch norms know what pictures look like, as a trained backbone's do."""
    backbone.train()
    for _ in range(40):
        backbone(pixel_values(pictures[:8]))
    backbone.eval()


def unlikeness(model, original, pictures):
    """How far the features of darkened pictures are from the original's of the plain ones."""
    with torch.no_grad():
        wanted = original(pixel_values(pictures)).float()
        dark = [(picture * 0.6).astype(np.uint8) for picture in pictures]
        given = model.kdvlp.backbone(pixel_values(dark)).float()
    return float((given - wanted).square().mean() / wanted.var())


def test_a_steadied_backbone_sees_more_alike_in_the_dark(run):
    """Some steps bring the features of dark pictures nearer to those of the plain ones."""
    labelled = [Labelled(scene(seed, (128, 80))) for seed in range(24)]
    pictures = [np.asarray(one.scene.render()) for one in labelled]
    model = new_model()
    settle_norms(model.kdvlp.backbone, pictures)
    original = deepcopy(model.kdvlp.backbone)
    before = unlikeness(model, original, pictures[:8])
    steady(run, model, labelled, pictures)

    assert unlikeness(model, original, pictures[:8]) < 0.8 * before
    assert not any(value.requires_grad for value in model.kdvlp.backbone.parameters())


def test_a_steadied_backbone_is_not_trained_again(run):
    """What lies in the folder is loaded, whatever the pictures."""
    labelled = [Labelled(scene(seed, (128, 80))) for seed in range(6)]
    first, second = new_model(), new_model()
    steady(run, first, labelled, [np.asarray(one.scene.render()) for one in labelled])
    steady(run, second, [], [])

    for one, other in zip(
        first.kdvlp.backbone.parameters(), second.kdvlp.backbone.parameters(), strict=True
    ):
        assert torch.equal(one, other)


def test_looks_keep_what_is_seen_in_place():
    """Only the look changes: same size, and the same picture for the same draw."""
    picture = np.asarray(scene(2, (80, 128)).render())
    one, again = (seen(picture, random.Random(7)) for _ in range(2))

    assert one.shape == picture.shape
    assert (one == again).all()


def test_words_that_the_start_does_not_know_keep_new_vectors(run, tmp_path):
    """All other weights are the start's; the vocabulary may have grown since."""
    start = tmp_path / "start"
    start.mkdir()
    torch.manual_seed(3)
    old = KDVLPForTasks(config()).state_dict()
    name = "kdvlp.embeddings.text.word_embeddings.weight"
    shorter = {key: value.contiguous() for key, value in old.items() if key != "words.weight"}
    shorter[name] = shorter[name][:150].clone()
    shorter["words.bias"] = shorter["words.bias"][:150].clone()
    save_file(shorter, start / "model.safetensors")
    curve = [{"sequences": 80, "means": {"all": 0.5}}]
    (start / "training.json").write_text(json.dumps({"curves": {"questions": curve}}))
    keep_start(run.folder, start)
    torch.manual_seed(0)
    model = KDVLPForTasks(config())
    before = model.state_dict()[name][150:].clone()
    load_start(run, model)
    after = model.state_dict()

    assert has_start(run.folder)
    assert start_curve(run.folder) == curve
    assert len(start_hash(run.folder)) == 64
    assert torch.equal(after[name][:150], shorter[name])
    assert torch.equal(after[name][150:], before)
    assert torch.equal(after["source.weight"], old["source.weight"])


def test_without_a_start_there_is_none(run):
    """A run from new weights tells of no other."""
    assert not has_start(run.folder)
    assert start_hash(run.folder) is None
    assert start_curve(run.folder) is None


def test_words_of_the_second_phase_can_be_told_apart_again():
    """Their vectors are drawn anew with the others' spread; all other words keep theirs."""
    model = new_model()
    tokenizer = processor().tokenizer
    own = tokenizer.convert_tokens_to_ids(list(TASK_WORDS))
    places = tokenizer.convert_tokens_to_ids(list(PLACES))
    table = model.kdvlp.get_input_embeddings().weight
    with torch.no_grad():
        table[own] = 1.0  # all alike, as the first phase leaves them
    before = table.detach().clone()
    renew_task_words(model, 0)

    others = [number for number in range(len(table)) if number not in own]
    assert torch.equal(table[others], before[others])
    vectors = torch.nn.functional.normalize(table[places].detach().float(), dim=-1)
    assert (vectors @ vectors.T - torch.eye(len(places))).abs().max() < 0.4
    assert table[own].std().item() == pytest.approx(table[others].float().std().item(), rel=0.1)
    assert "star" not in TASK_WORDS
    assert "the" not in TASK_WORDS

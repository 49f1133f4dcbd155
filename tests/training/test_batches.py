"""Batches: every target belongs to the words and cells it is meant for."""

import random

import numpy as np
import pytest
import torch

from training.batches import Batches
from training.labels import Labelled
from training.recipe import Recipe, processor
from vl_core.datasets.scenes import COLORS, SHAPES, scene

CHANNELS = 5


class CellNumbers:
    """Features that say which cell they are: every channel holds the cell's number."""

    def __init__(self, labelled):
        self.shapes = [(one.covers.shape[1], CHANNELS) for one in labelled]

    def __getitem__(self, index):
        numbers = torch.arange(self.shapes[index][0], dtype=torch.bfloat16)
        return numbers[:, None].expand(-1, CHANNELS).contiguous().view(torch.int16).numpy()


@pytest.fixture(scope="module")
def batches():
    """Batches about thirty scenes."""
    labelled = [Labelled(scene(seed)) for seed in range(30)]
    return Batches(Recipe(tag_share=0.3), labelled, CellNumbers(labelled), processor().tokenizer)


@pytest.fixture(params=range(4))
def batch(batches, request):
    """A batch about six pictures, past the easy part."""
    return batches.batch(random.Random(request.param), 6, 100_000)


def words(batch, row, first, last):
    """The words of some tokens of a row."""
    ids = batch.input_ids[row, first:last].tolist()
    return processor().tokenizer.convert_ids_to_tokens(ids)


def test_kept_cells_stay_with_their_places(batch):
    """Each kept cell's features are those of its place, and no more are kept than asked for."""
    cells = batch.cells
    numbers = cells.places[..., 0] * cells.grid[:, 1:] + cells.places[..., 1]

    assert cells.mask.sum(1).max() <= Recipe().kept_cells
    assert torch.equal(cells.features[..., 2].long()[cells.mask], numbers[cells.mask])


def test_full_cells_at_the_end(batches):
    """The last part of training sees every cell of every picture."""
    late = batches.batch(random.Random(0), 6, int(0.95 * Recipe().sequences))

    assert torch.equal(late.cells.mask.sum(1), late.cells.grid.prod(1))


def test_phrases_lie_on_their_words(batch):
    """A phrase that names one object by color and shape has those words and those targets."""
    checked = 0
    for number, targets in zip(batch.named.tolist(), batch.named_targets.tolist(), strict=True):
        row, first, last = batch.phrases[number].tolist()
        said = words(batch, row, first, last)
        if said[-1] in SHAPES:
            assert said[-1] == SHAPES[targets[0]]
            checked += 1
        for word in set(said) & set(COLORS):
            assert word == COLORS[targets[1]]
    assert checked > 3


def test_phrase_cells_hold_the_centre_of_the_object(batch):
    """The cell of a named object's centre is among its phrase's cells."""
    for number, targets in zip(batch.named.tolist(), batch.named_targets.tolist(), strict=True):
        row = int(batch.phrases[number, 0])
        centre = (batch.cells.places[row] == torch.tensor(targets[3:])).all(-1)
        centre &= batch.cells.mask[row]
        assert batch.phrase_cells[number][centre].all()


def test_masked_words_and_masked_cells_are_in_masked_rows_alone(batch):
    """Rows that ask for an answer or for matching are whole; masked words keep their target."""
    mask_id = processor().tokenizer.mask_token_id
    for number, row in enumerate(batch.rows):
        is_masked = batch.word_targets[number] >= 0
        assert torch.equal(is_masked, batch.input_ids[number] == mask_id)
        if row.kind != "masked":
            assert not is_masked.any()
            assert not batch.masked_cells[number].any()
    hidden = batch.object_places
    assert batch.masked_cells[hidden[:, 0], hidden[:, 1]].all()


def test_same_seed_same_batch(batches):
    """A resumed run sees what the uninterrupted one would have seen."""
    one, other = (batches.batch(random.Random("x"), 3, 50_000) for _ in range(2))

    assert one.rows == other.rows
    assert torch.equal(one.cells.features, other.cells.features)
    assert torch.equal(one.masked_cells, other.masked_cells)


def test_tags_cover_the_cells_of_their_objects(batch):
    """A tagged row has each of its tags on some cell, other rows have none."""
    for number, row in enumerate(batch.rows):
        present = set(np.flatnonzero(batch.cell_tags[number].any(0).numpy()).tolist())
        assert present == set(row.tags.values())

"""Batches: every target belongs to the words and cells it is meant for."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from training.batches import Batches
from training.labels import Labelled
from training.recipe import Phase, Recipe, processor
from vl_core.datasets.scenes import COLORS, SHAPES, scene

CHANNELS = 5


class CellNumbers:
    """Features that say which cell they are: every channel holds the cell's number."""

    def __init__(self, labelled):
        self.shapes = [(one.covers.shape[1], CHANNELS) for one in labelled]

    def __getitem__(self, index):
        numbers = torch.arange(self.shapes[index][0], dtype=torch.bfloat16)
        return numbers[:, None].expand(-1, CHANNELS).contiguous().view(torch.int16).numpy()


QUESTIONS = replace(Recipe().questions, tag_share=0.3)
TASKS = replace(Recipe().tasks, choices_share=0.4, sources_share=0.4)


def batches_of(phase, recipe=Recipe(), seeds=range(30)):  # noqa: B008 - a frozen value
    """Batches about a few scenes."""
    labelled = [Labelled(scene(seed)) for seed in seeds]
    return Batches(recipe, phase, labelled, CellNumbers(labelled), processor().tokenizer)


@pytest.fixture(scope="module")
def batches():
    """Batches of the first phase."""
    return batches_of(QUESTIONS)


@pytest.fixture(params=range(4))
def batch(batches, request):
    """A batch about six pictures, past the easy part."""
    (only,) = batches.parts(random.Random(request.param), 6, 100_000)
    return only


@pytest.fixture(params=range(3))
def parts(request):
    """A step of the second phase, with all kinds of units."""
    return batches_of(TASKS).parts(random.Random(request.param), 20, 50_000)


def words(batch, row, first, last):
    """The words of some tokens of a row."""
    ids = batch.input_ids[row, first:last].tolist()
    return processor().tokenizer.convert_ids_to_tokens(ids)


def test_kept_cells_stay_with_their_places(batch):
    """Each kept cell's features are those of its place, and no more are kept than asked for."""
    cells = batch.cells
    numbers = cells.places[..., 0] * cells.grid[:, 1:] + cells.places[..., 1]

    assert cells.mask.sum(1).max() <= QUESTIONS.kept_cells
    assert torch.equal(cells.features[..., 2].long()[cells.mask], numbers[cells.mask])


def test_full_cells_at_the_end(batches):
    """The last part of training sees every cell of every picture."""
    (late,) = batches.parts(random.Random(0), 6, int(0.95 * QUESTIONS.sequences))

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
    (one,), (other,) = (batches.parts(random.Random("x"), 3, 50_000) for _ in range(2))

    assert one.rows == other.rows
    assert torch.equal(one.cells.features, other.cells.features)
    assert torch.equal(one.masked_cells, other.masked_cells)


def test_tags_cover_the_cells_of_their_objects(batch):
    """A tagged row has each of its tags on some cell, other rows have none."""
    for number, row in enumerate(batch.rows):
        present = set(np.flatnonzero(batch.cell_tags[number].any(0).numpy()).tolist())
        assert present == set(row.tags.values())


def test_texts_of_several_parts_come_by_themselves(parts):
    """Short texts first, then candidates and sources, so that little is padded."""
    short, long = parts

    assert not any(row.more for row in short.rows)
    assert all(row.more for row in long.rows)
    kinds = Counter(row.kind for row in long.rows)
    assert kinds["sources"] % 5 == 0
    assert kinds["sources"] > 0
    assert (kinds["answers"] + kinds["rationales"]) % 4 == 0
    assert kinds["answers"] + kinds["rationales"] > 0


def test_each_part_of_a_text_has_its_token_type(parts):
    """Question 0, candidate or answer 2, rationale 3; each [SEP] is of the part before it."""
    _, long = parts
    tokenizer = processor().tokenizer
    for row, ids, types in zip(long.rows, long.input_ids, long.token_type_ids, strict=True):
        text = ids[ids != 0].tolist()
        kinds = types[: len(text)].tolist()
        ends = [place for place, one in enumerate(text) if one == tokenizer.sep_token_id]
        assert [kinds[end] for end in ends] == [0, 2, 3][: 1 + len(row.more)]
        assert kinds == sorted(kinds)


def test_a_text_alone_sees_no_cell(parts):
    """All cells of a source that is a text are hidden, and no others are."""
    _, long = parts
    has_cells = long.cells.mask.any(dim=1).tolist()

    assert has_cells == [row.picture is not None for row in long.rows]
    assert not all(has_cells)


def test_each_source_has_the_cells_of_its_own_picture(parts):
    """The grid of a source is that of the scene that it shows."""
    _, long = parts
    for row, grid, mask in zip(long.rows, long.cells.grid, long.cells.mask, strict=True):
        if row.kind == "sources" and row.picture is not None:
            assert mask.sum() <= grid.prod()


def test_one_of_four_candidates_is_right_and_one_of_the_sources_relevant(parts):
    """They come in their groups; the relevant source alone is asked for an answer."""
    _, long = parts
    right = [row.is_right for row in long.rows if row.is_right is not None]
    assert all(sum(right[start : start + 4]) == 1 for start in range(0, len(right), 4))
    relevant = [row for row in long.rows if row.is_relevant is not None]
    for start in range(0, len(relevant), 5):
        group = relevant[start : start + 5]
        assert sum(row.is_relevant for row in group) == 1
        assert [row.answer is not None for row in group] == [row.is_relevant for row in group]


def test_what_is_held_out_is_neither_shown_nor_told():
    """No text of the experiment names a pair that its scenes do not show either."""
    pairs = (("red", "star"), ("blue", "moon"))
    recipe = replace(Recipe(), without_pairs=pairs)
    told = [
        row.text
        for seed in range(40)
        for part in batches_of(QUESTIONS, recipe).parts(random.Random(seed), 6, 100_000)
        for row in part.rows
    ]

    assert len(told) > 500
    assert not any("red star" in text or "blue moon" in text for text in told)
    everything = [
        row.text
        for seed in range(40)
        for part in batches_of(QUESTIONS).parts(random.Random(seed), 6, 100_000)
        for row in part.rows
    ]
    assert any("red star" in text or "blue moon" in text for text in everything)


def test_a_phase_without_tasks_has_one_part():
    """Shares of 0 leave out candidates and sources."""
    phase = Phase("plain", 1000, 1e-3, 1e-3, 0.5)

    assert len(batches_of(phase).parts(random.Random(0), 4, 0)) == 1

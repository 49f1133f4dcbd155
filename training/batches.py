"""Batches: rows, their tokens and their pictures' cells as tensors, and every loss's targets."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from training import held_out
from training.cache import Ragged
from training.labels import Labelled
from training.recipe import Phase, Recipe
from training.rows import ALL_TYPES, EASY_TYPES, Row, caption_row, rows_about
from training.task_rows import candidate_rows, drawn_choices, drawn_sources, source_rows
from vl_core.datasets.scenes import COLORS, SHAPES, SIZES
from vl_core.families.kdvlp.embeddings import Cells
from vl_core.families.kdvlp.segments import Segments, joined

_PLURALS = ("circles", "squares", "triangles", "stars", "hearts", "diamonds", "crosses", "moons")
_TELLING_WORDS = (*COLORS, *SHAPES, *SIZES, *_PLURALS, "left", "right", "above", "below")
_WORD_MASKED_SHARE = {True: 0.35, False: 0.08}  # words that the picture tells, other words
_WORDS_RATHER_THAN_CELLS = 0.6


@dataclass(frozen=True)
class Kept:
    """The cells of the step's pictures that training keeps."""

    labelled: list[Labelled]
    numbers: list[np.ndarray]  # for each picture the kept cells' numbers
    cells: Cells

    def places(self, picture: int, chosen: np.ndarray) -> np.ndarray:
        """Where among the kept cells those stand that are chosen out of all cells."""
        return np.flatnonzero(chosen[self.numbers[picture]])


@dataclass(frozen=True)
class Batch:
    """What the model is fed, and the targets; n rows of t tokens and c kept cells."""

    rows: list[Row]
    input_ids: Tensor  # n, t
    attention_mask: Tensor  # n, t
    token_type_ids: Tensor  # n, t
    cells: Cells
    masked_cells: Tensor  # n, c
    cell_tags: Tensor  # n, c, tag
    word_targets: Tensor  # n, t: -100 where no word is masked
    object_places: Tensor  # masked objects' cells, 2: row, cell
    object_targets: Tensor  # masked objects' cells, 3: shape, color, size
    phrases: Tensor  # phrases, 3: row, first token, token after the last
    phrase_cells: Tensor  # phrases, c: whether the cell shows one of the phrase's objects
    named: Tensor  # numbers of the phrases that name a single object that can be seen
    named_targets: Tensor  # those phrases, 5: shape, color, size, row, column

    @property
    def n_answers(self) -> int:
        """How many of its rows are asked for an answer."""
        return sum(row.answer is not None for row in self.rows)

    def to(self, device: torch.device) -> "Batch":
        """The same batch with its tensors on a device."""
        cells = Cells(*(getattr(self.cells, one.name).to(device) for one in fields(Cells)))
        tensors = {one.name: getattr(self, one.name) for one in fields(self)}
        moved = {
            name: value.to(device) for name, value in tensors.items() if isinstance(value, Tensor)
        }
        return replace(self, cells=cells, **moved)


class Batches:
    """Makes each step's batch, the same one for the same seed, process and step."""

    def __init__(
        self,
        recipe: Recipe,
        phase: Phase,
        labelled: list[Labelled],
        features: Ragged,
        tokenizer: PreTrainedTokenizerFast,
    ) -> None:
        self.recipe = recipe
        self.phase = phase
        self.labelled = labelled
        self.scenes = [one.scene for one in labelled]
        self.features = features
        self.tokenizer = tokenizer
        self.mask_id = tokenizer.mask_token_id
        self.telling = set(tokenizer.convert_tokens_to_ids(list(_TELLING_WORDS)))

    def parts(self, rng: random.Random, n_units: int, seen: int) -> list[Batch]:
        """A step's units of rows, after `seen` sequences: short texts, then those of several parts.

        Together they would all be padded to the longest.
        """
        units = _Units(self, rng, EASY_TYPES if seen < self.phase.easy_sequences else ALL_TYPES)
        for _ in range(n_units):
            units.add()
        phase, without = self.phase, self.recipe.without_pairs
        most = phase.kept_cells if seen < (1 - phase.full_share) * phase.sequences else 64
        kept = self._kept(units.numbers, rng, most)
        rows = [row for row in units.rows if not held_out.names(row.text, without)]
        parts = [row for row in rows if not row.more], [row for row in rows if row.more]
        return [self._collated(part, kept, rng) for part in parts if part]

    def _kept(self, numbers: list[int], rng: random.Random, most: int) -> Kept:
        """Up to `most` cells of each picture, those of objects first, then any."""
        labelled = [self.labelled[number] for number in numbers]
        draw = np.random.default_rng(rng.getrandbits(32))
        chosen = []
        for one in labelled:
            order = draw.random(one.covers.shape[1]) - 2 * one.covers.any(axis=0)
            chosen.append(np.sort(np.argsort(order)[:most]))
        n_cells = max(len(cells) for cells in chosen)
        features = np.zeros((len(numbers), n_cells, self.features.shapes[0][1]), np.int16)
        places = np.zeros((len(numbers), n_cells, 2), np.int64)
        mask = np.zeros((len(numbers), n_cells), bool)
        for picture, (number, cells) in enumerate(zip(numbers, chosen, strict=True)):
            features[picture, : len(cells)] = self.features[number][cells]
            places[picture, : len(cells)] = np.stack(
                np.divmod(cells, labelled[picture].grid[1]), axis=1
            )
            mask[picture, : len(cells)] = True
        grid = torch.tensor([one.grid for one in labelled])
        visible = torch.from_numpy(features).view(torch.bfloat16)
        return Kept(
            labelled, chosen, Cells(visible, torch.from_numpy(places), grid, torch.from_numpy(mask))
        )

    def _collated(self, rows: list[Row], kept: Kept, rng: random.Random) -> Batch:
        texts = [joined(self.tokenizer, (row.text, *row.more)) for row in rows]
        n_tokens, n_cells = max(len(one.ids) for one in texts), kept.cells.mask.shape[1]
        input_ids = np.zeros((len(rows), n_tokens), np.int64)
        attention_mask = np.zeros((len(rows), n_tokens), np.int64)
        types = np.zeros((len(rows), n_tokens), np.int64)
        word_targets = np.full((len(rows), n_tokens), -100)
        masked_cells = np.zeros((len(rows), n_cells), bool)
        cell_tags = np.zeros((len(rows), n_cells, 7), np.float32)
        objects, phrases = _Objects(), _Phrases()
        for number, (row, text) in enumerate(zip(rows, texts, strict=True)):
            input_ids[number, : len(text.ids)] = text.ids
            attention_mask[number, : len(text.ids)] = 1
            types[number, : len(text.ids)] = text.types
            if row.picture is None:
                continue
            covers = kept.labelled[row.picture].covers
            for one, tag in row.tags.items():
                if one < len(covers):
                    cell_tags[number, kept.places(row.picture, covers[one]), tag] = 1
            if row.kind == "masked":
                hidden = _hidden_object(row, rng)
                if hidden is None:
                    self._mask_words(input_ids[number], word_targets[number], rng)
                else:
                    masked_cells[number, objects.add(number, row, hidden, kept)] = True
            phrases.add(number, row, text, kept, visible=not masked_cells[number].any())
        return Batch(
            rows=rows,
            input_ids=torch.from_numpy(input_ids),
            attention_mask=torch.from_numpy(attention_mask),
            token_type_ids=torch.from_numpy(types),
            cells=_cells_of(rows, kept.cells),
            masked_cells=torch.from_numpy(masked_cells),
            cell_tags=torch.from_numpy(cell_tags),
            word_targets=torch.from_numpy(word_targets),
            object_places=_tensor(objects.places, 2),
            object_targets=_tensor(objects.targets, 3),
            phrases=_tensor(phrases.spans, 3),
            phrase_cells=_tensor(phrases.cells, n_cells).float(),
            named=torch.tensor(phrases.named, dtype=torch.long),
            named_targets=_tensor(phrases.targets, 5),
        )

    def _mask_words(self, ids: np.ndarray, targets: np.ndarray, rng: random.Random) -> None:
        """Hide some words, mostly those that the picture tells."""
        for place in range(1, int((ids != 0).sum()) - 1):
            if rng.random() < _WORD_MASKED_SHARE[int(ids[place]) in self.telling]:
                targets[place] = ids[place]
                ids[place] = self.mask_id


class _Units:
    """The rows of a step, unit by unit, and the numbers of the scenes that they are about."""

    def __init__(self, batches: Batches, rng: random.Random, types: Sequence[str]) -> None:
        self.batches = batches
        self.rng = rng
        self.types = types
        self.rows: list[Row] = []
        self.numbers: list[int] = []

    def add(self) -> None:
        """A unit of questions and a caption, of answer candidates and a caption, or of sources."""
        phase, drawn = self.batches.phase, self.rng.random()
        if drawn < phase.choices_share:
            self._add_choices()
        elif drawn < phase.choices_share + phase.sources_share:
            self._add_sources()
        else:
            self._add_questions()

    def _add_questions(self) -> None:
        batches, rng = self.batches, self.rng
        scene = rng.randrange(len(batches.scenes))
        picture, n_questions = self._picture(scene), batches.recipe.questions_per_picture
        self.rows += rows_about(
            picture, batches.scenes[scene], rng, self.types, n_questions, batches.phase
        )

    def _add_choices(self) -> None:
        scene, asked = drawn_choices(self.batches.scenes, self.rng)
        picture = self._picture(scene)
        self.rows += candidate_rows(picture, asked, self.rng)
        self.rows.append(caption_row(picture, self.batches.scenes[scene], self.rng))

    def _add_sources(self) -> None:
        scenes, n_sources = self.batches.scenes, self.batches.recipe.rows_per_unit
        asked, shown = drawn_sources(scenes, self.rng, n_sources)
        pictures = [None if scene is None else self._picture(scene) for scene in shown]
        self.rows += source_rows(pictures, asked)

    def _picture(self, scene: int) -> int:
        """The number in the step of this scene's picture."""
        self.numbers.append(scene)
        return len(self.numbers) - 1


class _Objects:
    """Masked objects: their cells and labels."""

    def __init__(self) -> None:
        self.places: list[np.ndarray] = []
        self.targets: list[np.ndarray] = []

    def add(self, number: int, row: Row, hidden: int, kept: Kept) -> np.ndarray:
        """Note the cells that show this object above all; returned are all that it lies in."""
        labelled = kept.labelled[row.picture]
        covers = labelled.covers[hidden]
        asked = kept.places(row.picture, covers & (labelled.owner == hidden))
        self.places += [np.array([number, place]) for place in asked]
        self.targets += [labelled.object_labels[hidden, :3]] * len(asked)
        return kept.places(row.picture, covers)


class _Phrases:
    """Phrases that name objects: their tokens, their objects' cells, a single object's labels."""

    def __init__(self) -> None:
        self.spans: list[np.ndarray] = []
        self.cells: list[np.ndarray] = []
        self.named: list[int] = []
        self.targets: list[np.ndarray] = []

    def add(self, number: int, row: Row, text: Segments, kept: Kept, *, visible: bool) -> None:
        """Note the phrases of one row."""
        labelled = kept.labelled[row.picture]
        offset, encoding = text.parts[0]
        for phrase in row.phrases:
            if not phrase.objects:
                continue
            first, last = (
                offset + encoding.char_to_token(place) for place in (phrase.start, phrase.end - 1)
            )
            if len(phrase.objects) == 1 and visible:
                self.named.append(len(self.spans))
                self.targets.append(labelled.object_labels[phrase.objects[0]])
            self.spans.append(np.array([number, first, last + 1]))
            shown = np.zeros(kept.cells.mask.shape[1], bool)
            shown[kept.places(row.picture, labelled.covers[list(phrase.objects)].any(axis=0))] = (
                True
            )
            self.cells.append(shown)


def _cells_of(rows: list[Row], cells: Cells) -> Cells:
    """Each row's picture's cells; all of them hidden from a row of text alone."""
    picture_of = torch.tensor([row.picture or 0 for row in rows])
    has_picture = torch.tensor([row.picture is not None for row in rows])
    return Cells(
        cells.features[picture_of],
        cells.places[picture_of],
        cells.grid[picture_of],
        cells.mask[picture_of] & has_picture[:, None],
    )


def _hidden_object(row: Row, rng: random.Random) -> int | None:
    """The object that masked vision modelling hides; None where words are masked instead."""
    named = [phrase.objects for phrase in row.phrases if phrase.objects]
    if rng.random() < _WORDS_RATHER_THAN_CELLS or not named:
        return None
    return rng.choice(rng.choice(named))


def _tensor(rows: list[np.ndarray], width: int) -> Tensor:
    return torch.from_numpy(np.stack(rows) if rows else np.zeros((0, width), np.int64))

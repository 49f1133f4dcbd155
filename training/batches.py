"""Batches: rows, their tokens and their pictures' cells as tensors, and every loss's targets."""

import random
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from training.cache import Ragged
from training.labels import Labelled
from training.recipe import Recipe
from training.rows import ALL_TYPES, EASY_TYPES, Row, rows_about
from vl_core.datasets.scenes import COLORS, SHAPES, SIZES
from vl_core.families.kdvlp.embeddings import Cells

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
        labelled: list[Labelled],
        features: Ragged,
        tokenizer: PreTrainedTokenizerFast,
    ) -> None:
        self.recipe = recipe
        self.labelled = labelled
        self.features = features
        self.backend = tokenizer.backend_tokenizer
        self.mask_id = tokenizer.mask_token_id
        self.telling = set(tokenizer.convert_tokens_to_ids(list(_TELLING_WORDS)))

    def batch(self, rng: random.Random, n_pictures: int, seen: int) -> Batch:
        """A batch about pictures drawn at random, after `seen` sequences."""
        numbers = [rng.randrange(len(self.labelled)) for _ in range(n_pictures)]
        recipe = self.recipe
        types = EASY_TYPES if seen < recipe.easy_sequences else ALL_TYPES
        rows = [
            row
            for picture, number in enumerate(numbers)
            for row in rows_about(
                picture,
                self.labelled[number].scene,
                rng,
                types,
                recipe.questions_per_picture,
                recipe.tag_share,
            )
        ]
        most = recipe.kept_cells if seen < (1 - recipe.full_share) * recipe.sequences else 64
        return self._collated(rows, self._kept(numbers, rng, most), rng)

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
        encodings = self.backend.encode_batch([row.text for row in rows])
        n_tokens, n_cells = max(len(one.ids) for one in encodings), kept.cells.mask.shape[1]
        input_ids = np.zeros((len(rows), n_tokens), np.int64)
        attention_mask = np.zeros((len(rows), n_tokens), np.int64)
        word_targets = np.full((len(rows), n_tokens), -100)
        masked_cells = np.zeros((len(rows), n_cells), bool)
        cell_tags = np.zeros((len(rows), n_cells, 7), np.float32)
        objects, phrases = _Objects(), _Phrases()
        for number, (row, encoding) in enumerate(zip(rows, encodings, strict=True)):
            input_ids[number, : len(encoding.ids)] = encoding.ids
            attention_mask[number, : len(encoding.ids)] = 1
            for one, tag in row.tags.items():
                cell_tags[
                    number, kept.places(row.picture, kept.labelled[row.picture].covers[one]), tag
                ] = 1
            if row.kind == "masked":
                hidden = _hidden_object(row, rng)
                if hidden is None:
                    self._mask_words(input_ids[number], word_targets[number], rng)
                else:
                    masked_cells[number, objects.add(number, row, hidden, kept)] = True
            phrases.add(number, row, encoding, kept, visible=not masked_cells[number].any())
        picture_of = torch.tensor([row.picture for row in rows])
        cells = kept.cells
        return Batch(
            rows=rows,
            input_ids=torch.from_numpy(input_ids),
            attention_mask=torch.from_numpy(attention_mask),
            cells=Cells(
                *(
                    part[picture_of]
                    for part in (cells.features, cells.places, cells.grid, cells.mask)
                )
            ),
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

    def add(self, number: int, row: Row, encoding: object, kept: Kept, *, visible: bool) -> None:
        """Note the phrases of one row."""
        labelled = kept.labelled[row.picture]
        for phrase in row.phrases:
            if not phrase.objects:
                continue
            first, last = (
                encoding.char_to_token(place) for place in (phrase.start, phrase.end - 1)
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


def _hidden_object(row: Row, rng: random.Random) -> int | None:
    """The object that masked vision modelling hides; None where words are masked instead."""
    named = [phrase.objects for phrase in row.phrases if phrase.objects]
    if rng.random() < _WORDS_RATHER_THAN_CELLS or not named:
        return None
    return rng.choice(rng.choice(named))


def _tensor(rows: list[np.ndarray], width: int) -> Tensor:
    return torch.from_numpy(np.stack(rows) if rows else np.zeros((0, width), np.int64))

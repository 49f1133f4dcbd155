"""One record of a database, each part checked when it is asked for, its order put right.

    ex_id           a number                     tokens          strings: text, then patches
    txt_len         how many are text            img_coords      x, y of each patch in a grid, from
    image           height x width x 3                           the top left; or empty
    attention       layer x head x n x n         hidden_states   (layer + 1) x n x width
    accuracy        optional: True, False        custom_metrics  optional: name -> layer x head
    img_grid_size   there once the original had prepared the record; its tsne is not read

Preparing it, the original sorted the patches row by row in tokens, img_coords and attention, and
left the hidden states as they came. Source: its app/database/database.py and db_example.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from vl_core.arrays import Attention, Boxes, HeadMap, HiddenStates
from vl_core.counted import counted
from vl_core.datasets.interpret.described import Array, shown
from vl_core.datasets.interpret.envelope import MOST_BYTES
from vl_core.datasets.interpret.values import (
    Sums,
    by,
    cell,
    numbers,
    pixels,
    row_sums_of,
    said,
    shares,
)
from vl_core.errors import DatasetError
from vl_core.pictures import MAX_PIXELS

Cells = Int[np.ndarray, "patch 2"]
PatchOrder = Int[np.ndarray, "patch"]
State = Float[np.ndarray, "token width"]

_NUMBERED = re.compile(r"\D*(\d{1,9})")


@dataclass(frozen=True, eq=False)
class Record:
    """What a record says. Everything raises DatasetError where it is wrong.

    shape: how many layers and heads the records of its database have.
    """

    fields: Mapping[str, Any]
    shape: tuple[int, int]

    @cached_property
    def strings(self) -> tuple[str, ...]:
        """What each token is called: text first, then patches."""
        found = self._field("tokens")
        strings = said("tokens", found.strings) if isinstance(found, Array) else found
        if not isinstance(strings, list) or not all(type(one) is str for one in strings):
            raise DatasetError("tokens is no list of strings.")
        if not strings:
            raise DatasetError("tokens is empty.")
        return tuple(strings)

    @cached_property
    def n_text(self) -> int:
        """How many tokens stand before the first patch."""
        found, count = self._field("txt_len"), len(self.strings)
        if type(found) is not int or not 0 <= found <= count:
            raise DatasetError(
                f"txt_len is {shown(found)} for {counted(count, 'token')}; 0 to {count} wanted."
            )
        return found

    @property
    def n_patches(self) -> int:
        """How many tokens are patches."""
        return len(self.strings) - self.n_text

    @cached_property
    def cells(self) -> Cells | None:
        """Column and row of each patch, from the top left; None if they are not told."""
        found = self._field("img_coords")
        if isinstance(found, Array):
            found = said("img_coords", found.values).tolist()
        if found is None or found == []:
            return None
        pairs = [cell(one) for one in found] if isinstance(found, list) else []
        if len(pairs) != self.n_patches:
            raise DatasetError(
                f"img_coords has {counted(len(pairs), 'place')} for "
                f"{counted(self.n_patches, 'patch', 'patches')}; one pair of whole numbers for "
                "each is wanted."
            )
        return np.array(pairs, int)

    @property
    def grid(self) -> tuple[int, int]:
        """Columns and rows; 0, 0 without places."""
        if self.cells is None:
            return 0, 0
        columns, rows = self.cells.max(axis=0) + 1
        return int(columns), int(rows)

    @cached_property
    def picture(self) -> Image.Image | None:
        """The picture whose cells the patches are; None if there is none."""
        found = self._field("image")
        values = said("image", found.values) if isinstance(found, Array) else None
        if values is not None and not values.size:
            return None
        if values is None or values.dtype.kind not in "iuf" or values.shape[2:] != (3,):
            raise DatasetError("image is no array of height x width x 3 numbers.")
        if values.shape[0] * values.shape[1] > MAX_PIXELS:
            raise DatasetError(
                f"image has {values.shape[1]} x {values.shape[0]} pixels; at most "
                f"{MAX_PIXELS // 1_000_000} million are read."
            )
        return Image.fromarray(pixels(values))

    @property
    def boxes(self) -> Boxes | None:
        """For each token left, top, right and bottom of its cell in pixels; nan for text."""
        if self.cells is None or self.picture is None:
            return None
        size = np.array(self.picture.size) / self.grid
        boxes = np.full((len(self.strings), 4), np.nan)
        boxes[self.n_text :] = np.hstack([self.cells * size, (self.cells + 1) * size])
        return boxes

    @cached_property
    def was_right(self) -> bool | None:
        """Whether the model was right; None where that is not told."""
        found = self.fields.get("accuracy")
        if found is not None and (type(found) not in (bool, int, float) or found not in (0, 1)):
            raise DatasetError(f"accuracy is {shown(found)}; True, False or nothing is wanted.")
        return None if found is None else bool(found)

    @cached_property
    def statistics(self) -> dict[str, HeadMap]:
        """The statistics that its makers added, layer x head, by their names."""
        found = self.fields.get("custom_metrics")
        if found is None:
            return {}
        if type(found) is not dict:
            raise DatasetError("custom_metrics is no dict of arrays.")
        return {name: self._statistic(name, value) for name, value in found.items()}

    def _statistic(self, name: str, value: object) -> HeadMap:
        where = f"custom_metrics, {name:.60},"
        values = numbers(where, value)
        if values.shape != self.shape:
            raise DatasetError(
                f"{where} has the shape {by(values.shape)}; {by(self.shape)}, layer x head, is "
                "wanted."
            )
        return values.astype(np.float64)

    @cached_property
    def _attention(self) -> Attention:
        found = numbers("attention", self._field("attention"))
        wanted = (*self.shape, len(self.strings), len(self.strings))
        if found.shape != wanted:
            raise DatasetError(
                f"attention has the shape {by(found.shape)}; {by(wanted)} is wanted: layer x "
                "head x token x token."
            )
        return found

    @cached_property
    def row_sums(self) -> Sums:
        """What rows of attention sum to, those aside in which there is nothing."""
        found = row_sums_of(self._attention)
        if not found.are_one and row_sums_of(self._attention.swapaxes(2, 3)).are_one:
            raise DatasetError(
                "attention has columns that sum to 1 where rows should: its last two axes are "
                "swapped. Query x key is wanted."
            )
        return found

    @property
    def attention(self) -> Attention:
        """Layer x head x query x key, as shares: rows that do not sum to one are divided."""
        if self.row_sums.are_one:
            return self._attention
        return shares(self._attention)

    @property
    def dtype(self) -> np.dtype:
        """In which attention came."""
        return self._attention.dtype

    @cached_property
    def came_in(self) -> PatchOrder | None:
        """For each patch, which one of its hidden states it is; None if that is not told.

        The original numbered patches as they came (IMG_0, IMG_1, ...) and sorted their names along
        with their attention, so the names tell. A record that it did not prepare is in one order.
        """
        if "img_grid_size" not in self.fields or self.cells is None:
            return np.arange(self.n_patches)
        found = [_NUMBERED.fullmatch(one) for one in self.strings[self.n_text :]]
        order = np.array([int(one[1]) for one in found if one], int)
        order -= order.min(initial=10**9)
        is_order = np.array_equal(np.sort(order), np.arange(self.n_patches))
        return order if is_order else None

    @property
    def has_moved(self) -> bool:
        """Whether the hidden states were left in another order than all else."""
        order = self.came_in
        return order is not None and not np.array_equal(order, np.arange(len(order)))

    @property
    def hidden_states(self) -> HiddenStates | None:
        """State x token x width in the order of the tokens.

        None if there are states of some tokens only: of which, a record does not tell.
        """
        if not self._has_all_states:
            return None
        # A list may name one array any number of times, which takes room only when it is copied.
        if sum(one.nbytes for one in self._states) > MOST_BYTES:
            raise DatasetError(f"hidden_states takes more than {MOST_BYTES // 2**20} MiB.")
        states = np.stack(self._states)
        if self.came_in is None or not self.has_moved:
            return states
        order = np.concatenate([np.arange(self.n_text), self.n_text + self.came_in])
        return np.take(states, order, axis=1)

    @property
    def _has_all_states(self) -> bool:
        return len(self._states[0]) == len(self.strings)

    @cached_property
    def _states(self) -> list[State]:
        """One for each state: of a list, or of an array with an axis more."""
        found = self._field("hidden_states")
        parts = found if isinstance(found, list) else [found]
        arrays = [numbers("hidden_states", one) for one in parts]
        if not isinstance(found, list):
            arrays = list(arrays[0])
        if not arrays or any(one.ndim != 2 or one.shape != arrays[0].shape for one in arrays):
            raise DatasetError("hidden_states is no array of state x token x width.")
        if len(arrays) != self.shape[0] + 1:
            raise DatasetError(
                f"hidden_states has {counted(len(arrays), 'state')} for "
                f"{counted(self.shape[0], 'layer')}; one before the first layer and one after each "
                "is wanted."
            )
        return arrays

    @property
    def notes(self) -> dict[str, str]:
        """What was put right in this record, or could not be; in words, for reading."""
        found = {}
        if not self.row_sums.are_one:
            lowest, highest = self.row_sums
            found["attention"] = (
                f"no weights after a softmax: rows sum to {lowest:.4g} to {highest:.4g}. Each is "
                "divided by its sum here, to show shares"
            )
        if not self._has_all_states:
            found["hidden states"] = "of some tokens only; as it is not told of which, none is kept"
        elif self.came_in is None:
            found["hidden states"] = (
                "the names of the patches do not tell in which order their hidden states came; row "
                "by row is assumed"
            )
        elif self.has_moved:
            found["hidden states"] = "of patches, put back in the order of the patches"
        return found

    def _field(self, name: str) -> Any:  # noqa: ANN401 whatever was written
        if name not in self.fields:
            raise DatasetError(f"it has no {name}.")
        return self.fields[name]


def fields_of(value: object) -> Mapping[str, Any]:
    """The fields of what a pickle held; raises DatasetError if it has none."""
    if type(value) is not dict:
        raise DatasetError("it is no record: no dict with tokens, attention, ...")
    return value

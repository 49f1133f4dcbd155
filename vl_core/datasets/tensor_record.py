"""One example in arrays, as `tensors` describes them, each checked when it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from vl_core.arrays import Attention, Boxes, HiddenStates, TokenMask
from vl_core.counted import counted
from vl_core.datasets.quoting import quoted
from vl_core.datasets.token_texts import token_table
from vl_core.errors import DatasetError
from vl_core.example import Example, clean_text
from vl_core.trace import Prediction, TokenTable


@dataclass(frozen=True, eq=False)
class Record:
    """What the arrays of one file say. Everything raises DatasetError where they are wrong."""

    arrays: Mapping[str, np.ndarray]

    @cached_property
    def example(self) -> Example:
        """The picture, if there is one, the text, and the right answer, if it is told."""
        if not self.text:
            raise DatasetError(
                "none of its tokens is a word, so there is nothing that was asked. Give text, or "
                "say in is_image or n_text which tokens are words."
            )
        return Example(self._picture, self.text, answer=self.answer)

    @property
    def text(self) -> str:
        """What was asked, as given or from the tokens."""
        return self._read[1]

    @property
    def tokens(self) -> TokenTable:
        """All tokens, with a place for each patch where that is told."""
        return self._read[0]

    @property
    def answer(self) -> str | None:
        """The right answer, if it is told."""
        return self._string("answer")

    @property
    def said(self) -> str | None:
        """What the model answered, if it is told."""
        return self._string("prediction")

    @property
    def prediction(self) -> Prediction:
        """The same, with its probability if that is told."""
        said, probability = self.said, self._numbers("probability", "f", ())
        if said is None or probability is None:
            return Prediction.told(said)
        return Prediction("answer", ((said, float(probability)),))

    @property
    def attention(self) -> Attention:
        """Layer x head x query x key."""
        found = self._numbers("attention", "f", ("layers", "heads", "queries", "keys"))
        if found is None:
            raise DatasetError("it holds no array called attention: layer x head x query x key.")
        return found

    @property
    def hidden_states(self) -> HiddenStates | None:
        """State x token x width, if they were kept."""
        return self._numbers("hidden_states", "f", ("layers + 1", "tokens", "width"))

    @cached_property
    def _read(self) -> tuple[TokenTable, str]:
        given = self._string("text")
        return token_table(
            self._strings,
            self._is_image,
            "" if given is None else clean_text(given),
            self._boxes,
            self._numbers("is_special", "b", (len(self._strings),)),
        )

    @cached_property
    def _strings(self) -> list[str]:
        found = self.arrays.get("tokens")
        if found is None or found.ndim != 1 or not len(found):
            raise DatasetError("it holds no list called tokens, of one string for each token.")
        return [_string(one, "tokens") for one in found]

    @cached_property
    def _is_image(self) -> TokenMask:
        count = len(self._strings)
        mask = self._numbers("is_image", "b", (count,))
        if mask is not None:
            return mask
        n_text = self._numbers("n_text", "iu", ())
        if n_text is None or not 0 <= n_text <= count:
            came = (
                "it does not say which of its tokens are patches of the picture"
                if n_text is None
                else f"n_text is {n_text} for {counted(count, 'token')}"
            )
            raise DatasetError(
                f"{came}. Give is_image, {count} booleans, or n_text, the number of tokens before "
                "the patches."
            )
        return np.arange(count) >= n_text

    @cached_property
    def _boxes(self) -> Boxes | None:
        count = len(self._strings)
        boxes = self._numbers("boxes", "fiu", (count, 4))
        grid = self._numbers("grid", "iu", (2,))
        if boxes is None and grid is None:
            return None
        if self._picture is None:
            raise DatasetError("it says where the patches lie, but holds no picture called image.")
        if grid is not None:
            return self._tiles(int(grid[0]), int(grid[1]), self._picture.size)
        return None if boxes is None else self._placed(boxes.astype(float))

    def _placed(self, boxes: Boxes) -> Boxes:
        """The boxes of patches; nan for all other tokens."""
        boxes = np.where(self._is_image[:, None], boxes, np.nan)
        if np.isinf(boxes).any():
            raise DatasetError("boxes has a patch without an end; pixels are wanted, or nan.")
        if (boxes[:, 2:] <= boxes[:, :2]).any():
            raise DatasetError(
                "boxes has a patch without an area; left, top, right, bottom are wanted, and nan "
                "for a token without a place."
            )
        return boxes

    def _tiles(self, rows: int, columns: int, size: tuple[int, int]) -> Boxes:
        """A box for each patch of a grid over the whole picture; nan for all else."""
        n_patches = int(self._is_image.sum())
        if min(rows, columns) < 1 or rows * columns != n_patches:
            raise DatasetError(
                f"grid is {counted(rows, 'row')} x {counted(columns, 'column')} for "
                f"{counted(n_patches, 'patch', 'patches')}; their product must be the number of "
                "patches."
            )
        across = np.linspace(0, size[0], columns + 1)
        down = np.linspace(0, size[1], rows + 1)
        row, column = np.divmod(np.arange(n_patches), columns)
        boxes = np.full((len(self._strings), 4), np.nan)
        boxes[self._is_image] = np.stack(
            [across[column], down[row], across[column + 1], down[row + 1]], axis=1
        )
        return boxes

    @cached_property
    def _picture(self) -> Image.Image | None:
        pixels = self._numbers("image", "u", ("height", "width", 3))
        if pixels is None:
            return None
        if pixels.dtype != np.uint8:
            raise DatasetError(f"image is of {pixels.dtype}; uint8 is wanted, 0 to 255.")
        return Image.fromarray(pixels)

    def _numbers(self, name: str, kinds: str, shape: tuple[int | str, ...]) -> np.ndarray | None:
        """The array, if it is there, of these kinds and of this shape; a word is any size."""
        found = self.arrays.get(name)
        if found is None:
            return None
        fits = len(found.shape) == len(shape) and all(
            isinstance(wanted, str) or wanted == size
            for wanted, size in zip(shape, found.shape, strict=True)
        )
        if not fits:
            raise DatasetError(f"{name} is {_wanted(found.shape)}; {_wanted(shape)} is wanted.")
        if found.dtype.kind not in kinds:
            names = " or ".join(_KINDS[kind] for kind in kinds)
            raise DatasetError(f"{name} is of {found.dtype}; {names} are wanted.")
        return found

    def _string(self, name: str) -> str | None:
        found = self.arrays.get(name)
        if found is None:
            return None
        if found.ndim:
            raise DatasetError(f"{name} is {_wanted(found.shape)}; a single string is wanted.")
        return _string(found[()], name)


_KINDS = {"f": "floats", "i": "whole numbers", "u": "unsigned whole numbers", "b": "booleans"}


def _wanted(shape: tuple[int | str, ...]) -> str:
    if len(shape) == 1:
        return f"a list of {shape[0]}"
    return " x ".join(map(str, shape)) or "a single number"


def _string(value: object, name: str) -> str:
    """The string that numpy keeps, as UTF-8 if it keeps bytes."""
    try:
        if isinstance(value, bytes):
            return value.decode("utf-8")
        if isinstance(value, str) and value.encode("utf-8") is not None:
            return str(value)
    except UnicodeError as error:
        raise DatasetError(f"{name} holds {quoted(value)}, which is no text in Unicode.") from error
    raise DatasetError(f"{name} holds {quoted(value)}; a string is wanted.")

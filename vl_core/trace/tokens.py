"""Which position of a stream is which word, patch or special token, and where it lies."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Int

from vl_core.arrays import Boxes, Centres, Spans, TokenMask
from vl_core.counted import counted
from vl_core.errors import TraceError
from vl_core.frozen import freeze, own

KINDS = ("text", "image", "special")
MASKS = ("is_padding", "is_unknown", "is_generated")


@dataclass(frozen=True, eq=False)
class TokenTable:
    """The tokens of one stream, in the model's own order.

    texts: what each token is called on screen. kinds: "text", "image" or "special" for each.
    boxes: left, top, right, bottom of a patch in pixels of the original picture; nan without a
    place. spans: the characters of the example's text that a token stands for; -1 without any.
    is_padding: positions that only fill up a batch. is_unknown: words outside the vocabulary.
    is_generated: tokens of the model's own answer. views: where a model is shown a picture several
    times (whole, and cut into tiles), in which view each patch lies; else "".
    """

    texts: tuple[str, ...]
    kinds: tuple[str, ...]
    boxes: Boxes
    spans: Spans
    is_padding: TokenMask
    is_unknown: TokenMask
    is_generated: TokenMask
    views: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.texts)
        for name in ("kinds", "boxes", "spans", *MASKS, "views"):
            found = len(getattr(self, name))
            if found != count:
                raise TraceError(f"{found} {name} for {count} token texts; one each is wanted")
        strange = sorted(set(self.kinds) - set(KINDS))
        if strange:
            raise TraceError(f"token kinds {strange}; only {', '.join(KINDS)} exist")
        for name, width in (("boxes", 4), ("spans", 2)):
            shape = getattr(self, name).shape
            if shape != (count, width):
                raise TraceError(f"{name} of shape {shape}; {count} x {width} numbers are wanted")
        arrays = ("boxes", "spans", *MASKS)
        freeze(self, **{name: own(getattr(self, name)) for name in arrays})

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        kinds: Sequence[str],
        boxes: Boxes | None = None,
        spans: Spans | None = None,
        is_padding: TokenMask | None = None,
        is_unknown: TokenMask | None = None,
        *,
        is_generated: TokenMask | None = None,
        views: Sequence[str] | None = None,
    ) -> "TokenTable":
        """A table in which what is not given is absent: no boxes, no spans, nothing padded."""
        count = len(texts)
        masks = {"is_padding": is_padding, "is_unknown": is_unknown, "is_generated": is_generated}
        columns: dict[str, Any] = {
            name: np.zeros(count, bool) if mask is None else mask for name, mask in masks.items()
        }
        return cls(
            tuple(texts),
            tuple(kinds),
            np.full((count, 4), np.nan) if boxes is None else boxes,
            np.full((count, 2), -1) if spans is None else spans,
            views=("",) * count if views is None else tuple(views),
            **columns,
        )

    @classmethod
    def joined(cls, tables: Sequence["TokenTable"]) -> "TokenTable":
        """The tokens of these tables one after the other; at least one table is wanted."""
        columns: dict[str, Any] = {}
        for name in (field.name for field in fields(cls)):
            parts = [getattr(table, name) for table in tables]
            is_words = isinstance(parts[0], tuple)
            columns[name] = tuple(chain(*parts)) if is_words else np.concatenate(parts)
        return cls(**columns)

    def chosen(self, tokens: TokenMask | Int[np.ndarray, "some"] | slice) -> "TokenTable":
        """The table of some of the tokens: by a mask, a slice, or in the order of positions."""
        positions = np.arange(len(self))[tokens]
        columns: dict[str, Any] = {}
        for name in (field.name for field in fields(self)):
            column = getattr(self, name)
            is_words = isinstance(column, tuple)
            columns[name] = tuple(column[i] for i in positions) if is_words else column[positions]
        return TokenTable(**columns)

    def __repr__(self) -> str:
        """In one line: how many of each kind."""
        of_kinds = {kind: self.kinds.count(kind) for kind in KINDS}
        said = ", ".join(f"{count:,} {kind}" for kind, count in of_kinds.items() if count)
        return f"<TokenTable: {counted(len(self), 'token')}{f' ({said})' if said else ''}>"

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def is_text(self) -> TokenMask:
        """Words, of the example's text and of a generated answer; padding is none of them."""
        return self._is("text")

    @cached_property
    def is_image(self) -> TokenMask:
        """Patches of the picture; padding is none of them."""
        return self._is("image")

    @cached_property
    def is_special(self) -> TokenMask:
        """Class, separator and other tokens the model adds; padding is none of them."""
        return self._is("special")

    def _is(self, kind: str) -> TokenMask:
        return (np.array(self.kinds) == kind) & ~self.is_padding

    @cached_property
    def centres(self) -> Centres:
        """Centre x and y of each patch, in patches: the median patch is one wide and one high.

        token x 2; nan without a place.
        """
        sizes = self.boxes[:, 2:] - self.boxes[:, :2]
        middles = (self.boxes[:, 2:] + self.boxes[:, :2]) / 2
        has_place = ~np.isnan(middles).any(axis=1)
        if not has_place.any():
            return middles
        return np.asarray(middles / np.median(sizes[has_place], axis=0))

"""Which tokens look at which in a stack, and where in the picture they lie."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from vl_core.arrays import Boxes, KeyMask, QueryMask, TokenMask
from vl_core.example import Region
from vl_core.trace import TokenTable


@dataclass(frozen=True, eq=False)
class Tables:
    """The tokens that look, those that are looked at, and the places known beforehand.

    Self-attention is told by both tables being the same object, as a trace demands it.
    """

    queries: TokenTable
    keys: TokenTable
    regions: tuple[Region, ...] = ()

    @property
    def is_self_attention(self) -> bool:
        """Whether queries and keys are the same tokens, so that a token can look at itself."""
        return self.queries is self.keys

    @cached_property
    def query_kinds(self) -> dict[str, QueryMask]:
        """For each kind of token, which queries are of that kind; padding is of none."""
        return _kinds(self.queries)

    @cached_property
    def key_kinds(self) -> dict[str, KeyMask]:
        """For each kind of token, which keys are of that kind; padding is of none."""
        return _kinds(self.keys)

    @cached_property
    def boxed_words(self) -> tuple[Int[np.ndarray, "word"], Float[np.ndarray, "word key"]]:
        """Text queries that name a region, and the fraction of each key's patch inside its boxes.

        A word that names several regions counts all their boxes as one area.
        """
        named: dict[int, list[tuple[float, ...]]] = {}
        for region in self.regions:
            for word in _words_naming(self.queries, region):
                named.setdefault(int(word), []).append(region.box)
        words = sorted(named)
        inside = [_covered(self.keys.boxes, np.array(named[word])) for word in words]
        fractions = np.array(inside).reshape(len(words), len(self.keys))
        return np.array(words, int), fractions * self.key_kinds["placed"]


def _kinds(table: TokenTable) -> dict[str, TokenMask]:
    return {
        "text": table.is_text,
        "image": table.is_image,
        "special": table.is_special,
        "placed": table.is_image & ~np.isnan(table.boxes).any(axis=1),
        "any": ~table.is_padding,
    }


def _words_naming(table: TokenTable, region: Region) -> Int[np.ndarray, "word"]:
    """Text tokens whose characters overlap the region's span."""
    if region.span is None:
        return np.zeros(0, int)
    first, end = region.span
    overlaps = (table.spans[:, 0] < end) & (table.spans[:, 1] > first) & (table.spans[:, 0] >= 0)
    return np.flatnonzero(table.is_text & overlaps)


def _covered(patches: Boxes, boxes: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, "token"]:
    """Which fraction of each patch lies inside any of the boxes; 0 for what has no place.

    The edges of the boxes cut the plane into cells, so that overlapping boxes count once.
    """
    lefts, rights, widths = _overlaps(patches[:, 0::2], boxes[:, 0::2])
    tops, bottoms, heights = _overlaps(patches[:, 1::2], boxes[:, 1::2])
    is_inside = np.zeros((len(lefts), len(tops)), bool)
    for left, top, right, bottom in boxes:
        across = (lefts >= left) & (rights <= right)
        is_inside |= across[:, None] & ((tops >= top) & (bottoms <= bottom))
    areas = np.einsum("pc,cr,pr->p", widths, is_inside, heights)
    sizes = np.prod(patches[:, 2:] - patches[:, :2], axis=1)
    return np.divide(areas, sizes, out=np.zeros(len(patches)), where=sizes > 0)


def _overlaps(
    patches: Float[np.ndarray, "token 2"], boxes: Float[np.ndarray, "box 2"]
) -> tuple[np.ndarray, np.ndarray, Float[np.ndarray, "token cell"]]:
    """Along one direction: cells between the boxes' edges, and how much of each patch is in each.

    Starts and ends of the cells, and the overlap of every patch with every cell in pixels.
    """
    edges = np.unique(boxes)
    starts, ends = edges[:-1], edges[1:]
    shared = np.minimum(patches[:, 1:], ends) - np.maximum(patches[:, :1], starts)
    return starts, ends, np.maximum(shared, 0)

"""Which tokens look at which in a stack, and where in the picture they lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from vl_core.arrays import KeyMask, QueryMask, TokenMask
from vl_core.example import Region
from vl_core.head_stats.boxes import covered, hits
from vl_core.trace import TokenTable

KINDS = ("text", "image", "special", "placed", "any")

# Groups of keys that do not overlap, and for each of KINDS which of them it is made of.
GROUPS = ("text", "placed", "unplaced", "special")
MADE_OF = ((1, 0, 0, 0), (0, 1, 1, 0), (0, 0, 0, 1), (0, 1, 0, 0), (1, 1, 1, 1))

_CLASS = ("cls", "class")  # a class token's name, between whatever brackets a vocabulary has


class Boxed(NamedTuple):
    """Some queries, each with boxes in the picture that it might look at.

    inside: which fraction of each key's patch lies in the query's boxes; several count as one
    area. hits: which patches count as a hit. Both have nothing where a key is no patch with a
    place.
    """

    queries: Int[np.ndarray, "query"]
    inside: Float[np.ndarray, "query key"]
    hits: Bool[np.ndarray, "query key"]


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
    def key_groups(self) -> Bool[np.ndarray, "group key"]:
        """For each of GROUPS, which keys belong to it; padding to none."""
        kinds = self.key_kinds | {"unplaced": self.key_kinds["image"] & ~self.key_kinds["placed"]}
        return np.stack([kinds[group] for group in GROUPS])

    @cached_property
    def n_keys(self) -> dict[str, int]:
        """How many keys of each kind there are."""
        return {kind: int(is_kind.sum()) for kind, is_kind in self.key_kinds.items()}

    @cached_property
    def places(self) -> Float[np.ndarray, "2 token"]:
        """Across and down: the centre of each patch in patches; nan for what has no place."""
        return np.where(self.key_kinds["placed"], self.keys.centres.T, np.nan)

    @cached_property
    def boxed_words(self) -> Boxed:
        """Text queries that name a region, each against the boxes of all regions it names."""
        named: dict[int, list[Region]] = {}
        for region in self.regions:
            for word in _words_naming(self.queries, region):
                named.setdefault(int(word), []).append(region)
        return self._boxed({word: named[word] for word in sorted(named)})

    @cached_property
    def boxed_class(self) -> Boxed:
        """The class token against the boxes of all regions that are asked about."""
        asked = [region for region in self.regions if region.is_asked]
        return self._boxed({int(token): asked for token in class_token(self.queries) if asked})

    def _boxed(self, regions: Mapping[int, Sequence[Region]]) -> Boxed:
        """Each of these queries against the boxes of its regions."""
        is_placed, shape = self.key_kinds["placed"], (len(regions), len(self.keys))
        boxes = [np.array([region.box for region in named], float) for named in regions.values()]
        inside = np.reshape([covered(self.keys.boxes, some) for some in boxes], shape)
        hit = np.reshape([hits(self.keys.boxes, some) for some in boxes], shape)
        positions = np.array(list(regions), int)
        return Boxed(positions, inside.astype(float) * is_placed, hit.astype(bool) & is_placed)


def class_token(table: TokenTable) -> Int[np.ndarray, "few"]:
    """Where the class token stands, the first if there are several; empty without any.

    It is known by its name: a sign that a text begins with, such as <s> or <bos>, is none.
    """
    named = [text.strip("[]<>|").casefold() in _CLASS for text in table.texts]
    return np.flatnonzero(table.is_special & named)[:1]


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

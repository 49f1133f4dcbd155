"""How much of a stack's attention goes to the browser, in which parts, and what stays here.

Up to `WHOLE_BYTES` all layers go there, the selected one first. Of a longer stack it is the
selected layer, head by head and the selected head first; of one whose layers are larger than
`LAYER_BYTES`, the selected head alone. What the browser then cannot work out in a blink (all heads
of the layer for what is pinned, or one head for very many tokens) is worked out here once it is
pinned.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from vl_core import wire
from vl_core.linked_view.choice import Choice
from vl_core.structure import looking_queries
from vl_core.token_attention import asking, has_place, profiles
from vl_core.trace import Stack, TokenTable

WHOLE_BYTES = 10 * 2**20  # of all layers
LAYER_BYTES = 12 * 2**20  # of one layer: that of a model of 7 billion weights at 640 tokens
BLINK = 32_000_000  # products that a browser works out in 50 ms

Blobs = dict[str, Callable[[], bytes]]


def is_whole(stack: Stack) -> bool:
    """Whether the browser is given all layers, without which it cannot show their mean."""
    return sum(wire.sizes(layer).bytes for layer in stack.blocks) <= WHOLE_BYTES


def shown_tokens(stack: Stack, selection: Choice) -> tuple[int, ...]:
    """The tokens whose attention is on show: those pinned, or all words, or all there are.

    They are queries, or, if it is asked what another stream's tokens are looked at by, keys. To all
    keys together everybody gives the same share: there, the one in the middle stands for them.
    """
    is_row = selection.direction == "looks_at"
    is_query = is_row or stack.is_self_attention
    tokens = stack.queries if is_query else stack.keys
    pinned = selection.tokens if is_query else selection.keys
    words = np.flatnonzero(tokens.is_text).tolist()
    everyone = _on_screen(stack, tokens)
    return pinned or tuple(words or (everyone if is_row else [everyone[len(everyone) // 2]]))


def _on_screen(stack: Stack, tokens: TokenTable) -> list[int]:
    """All tokens but padding and, of the queries, patches that look at nothing."""
    is_shown = ~tokens.is_padding
    if tokens is stack.queries:
        is_shown &= looking_queries(stack) | ~has_place(tokens)
    return np.flatnonzero(is_shown).tolist()


@dataclass(frozen=True)
class Delivery:
    """What the browser gets for one selection.

    reach: how many rows of one head the browser works out in a blink, None where all it has are a
    few. shown: the tokens on show.
    """

    stack: Stack
    selection: Choice
    is_whole: bool
    holds_layer: bool
    reach: int | None
    shown: tuple[int, ...]
    offers_position: bool

    @classmethod
    def of(cls, stack: Stack, selection: Choice, *, offers_position: bool) -> "Delivery":
        """For this selection, which fits the stack."""
        whole, layer = is_whole(stack), wire.sizes(stack.blocks[selection.layer])
        return cls(
            stack,
            selection,
            whole,
            layer.bytes <= LAYER_BYTES,
            None if whole else BLINK // layer.products,
            shown_tokens(stack, selection),
            offers_position,
        )

    @classmethod
    def whole_page(
        cls, stack: Stack, selection: Choice, *, is_whole: bool, offers_position: bool
    ) -> "Delivery":
        """For a page without a server: it has all of this stack and works out everything itself.

        is_whole: whether these are all layers that there are.
        """
        return cls(
            stack,
            selection,
            is_whole,
            holds_layer=True,
            reach=None,
            shown=shown_tokens(stack, selection),
            offers_position=offers_position,
        )

    @property
    def sends_profile(self) -> bool:
        """Whether all heads' values for what is shown are worked out here."""
        if self.reach is None:
            return False
        return not self.holds_layer or self.stack.n_heads * len(self.shown) > self.reach

    @property
    def tokens_name(self) -> str:
        """Where the tokens are found."""
        return f"{self.stack.name}/tokens"

    @property
    def profile_name(self) -> str:
        """Where the values of all heads for what is shown are found."""
        chosen = self.selection
        rows = hashlib.sha256(np.array(self._rows()).tobytes()).hexdigest()[:16]
        return f"{self._layer_name(chosen.layer)}/{chosen.direction}/{rows}"

    def chosen(self) -> Blobs:
        """What is on show: the selected layer and head, or what is worked out here in its place."""
        head = self.selection.head
        found = self._layer(self.selection.layer)
        if head is not None:
            found |= self._head(self.selection.layer, head)
        if self.sends_profile:
            found[self.profile_name] = self._profile
        return found

    def rest(self) -> Blobs:
        """What may be chosen next: the other heads of the layer, the other layers."""
        found: Blobs = {}
        others = [i for i in range(self.stack.n_layers) if i != self.selection.layer]
        for layer in (self.selection.layer, *(others if self.is_whole else ())):
            found |= self._layer(layer)
            if self.is_whole or self.holds_layer:
                for head in range(self.stack.n_heads):
                    found |= self._head(layer, head)
        return found

    def _layer_name(self, layer: int) -> str:
        return f"{self.stack.name}/{layer}"

    def _layer(self, layer: int) -> Blobs:
        """The description of a layer, after the tables of its masks, which it may share."""
        blocks, names = self.stack.blocks[layer], self._mask_names
        counts = len(self.stack.queries), len(self.stack.keys)
        masks: Blobs = {
            f"{self.stack.name}/{names[id(mask)]}": partial(wire.mask_bits, mask)
            for mask in wire.tables(blocks)
        }
        describe = partial(wire.described, blocks, counts, lambda mask: names[id(mask)])
        return masks | {self._layer_name(layer): describe}

    @cached_property
    def _mask_names(self) -> dict[int, str]:
        """Names of the masks with a table; layers share one object where theirs are equal."""
        masks = (mask for layer in self.stack.blocks for mask in wire.tables(layer))
        return {key: f"mask{number}" for number, key in enumerate(dict.fromkeys(map(id, masks)))}

    def _head(self, layer: int, head: int) -> Blobs:
        blocks = self.stack.blocks[layer]
        group = head * wire.key_groups(blocks) // self.stack.n_heads
        one, other = self.stack.queries, self.stack.keys
        between = one.is_text | one.is_image, other.is_text | other.is_image
        name = self._layer_name(layer)
        return {
            f"{name}/k{group}": partial(wire.keys, blocks, group),
            f"{name}/h{head}": partial(wire.head, blocks, head, *between),
        }

    def _rows(self) -> tuple[int, ...]:
        """The rows or columns that stand for what is shown."""
        if not self.offers_position or self.selection.direction != "looks_at":
            return self.shown
        return asking(self.stack.queries, self.shown, self.selection.position)

    def _profile(self) -> bytes:
        chosen = self.selection
        values = profiles(self.stack, chosen.layer, self._rows(), chosen.direction)
        return wire.packed(values[:, None])

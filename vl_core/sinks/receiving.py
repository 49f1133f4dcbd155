"""How much attention each key receives, in one pass over blocks of rows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vl_core.arrays import HeadMap, KeysByLayer
from vl_core.row_slices import slices
from vl_core.sinks.exclusion import without
from vl_core.trace import Block, Stack

BLOCK_BYTES = 4 * 2**20  # of weights at once
BLOCK_ROWS = 256  # at most

LayerKeys = Float[np.ndarray, "layer key"]


@dataclass(frozen=True, eq=False)
class Received:
    """What falls on each key of each layer; padding neither gives nor receives.

    shares: the share (0..1) of a word's or patch's attention that falls on the key, the mean over
    all words and patches that look anywhere; nan where none does. lift: the mean over heads and
    over the other tokens that may look at the key of what they give it, divided by what they would
    give it if each looked at all its keys alike; nan where no other may. total: what these tokens
    give it in all, as a mean over heads; 1 is all that one token has to give.
    """

    shares: Float[np.ndarray, "layer head key"]
    lift: LayerKeys
    total: LayerKeys

    @property
    def mass(self) -> LayerKeys:
        """The shares as a mean over each layer's heads."""
        present = ~np.isnan(self.shares)
        sums, counts = np.where(present, self.shares, 0).sum(axis=1), present.sum(axis=1)
        return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)

    def on(self, keys: KeysByLayer) -> HeadMap:
        """The share of a word's or patch's attention that falls on these keys together."""
        return np.einsum("lhk,lk->lh", self.shares, keys.astype(self.shares.dtype))


def received(stack: Stack) -> Received:
    """What every key of the stack receives.

    It takes layers x heads x keys numbers, and never forms more than a block of rows.
    """
    if stack.keys.is_padding.any():
        stack = without(stack, stack.keys.is_padding)
    layers = [_Layer(stack, layer) for layer in stack.blocks]
    return Received(
        np.stack([layer.shares for layer in layers]),
        np.stack([layer.lift for layer in layers]),
        np.stack([layer.total for layer in layers]),
    )


class _Layer:
    """The totals of one layer, which grow block by block."""

    def __init__(self, stack: Stack, blocks: tuple[Block, ...]) -> None:
        n_heads, n_keys = stack.n_heads, len(stack.keys)
        self._is_self_attention = stack.is_self_attention
        # What is asked of the queries: words and patches have shares, all but padding give.
        self._content = (stack.queries.is_text | stack.queries.is_image).astype(np.float32)
        self._gives = (~stack.queries.is_padding).astype(np.float32)
        self._falls, self._looking = np.zeros((n_heads, n_keys)), np.zeros(n_heads)
        self._given, self._even = np.zeros(n_keys), np.zeros(n_keys)
        for block in blocks:
            for rows in slices(len(block.query_positions), _n_rows(block)):
                self._add(block, rows)

    @property
    def shares(self) -> Float[np.ndarray, "head key"]:
        """As Received has them; float32, as they are as many as all queries of a few tokens."""
        looking = self._looking[:, None]
        missing = np.full(self._falls.shape, np.nan)
        found = np.divide(self._falls, looking, out=missing, where=looking > 0)
        return found.astype(np.float32)

    @property
    def total(self) -> Float[np.ndarray, "key"]:
        """As Received has it."""
        return np.asarray(self._given / len(self._falls))

    @property
    def lift(self) -> Float[np.ndarray, "key"]:
        """As Received has it."""
        missing = np.full(len(self._even), np.nan)
        return np.divide(self.total, self._even, out=missing, where=self._even > 0)

    def _add(self, block: Block, rows: slice) -> None:
        """Take in some rows of a block, all heads."""
        n_heads, *shape = block.kept.shape
        queries, keys = block.query_positions[rows], block.key_positions
        content, gives = self._content[queries], self._gives[queries]
        own = self._own(queries, keys)
        allowed = block.kept.mask.rows(rows, *shape)
        even = gives / np.maximum(allowed.sum(axis=1), 1)
        allowed[own] = False
        self._even[keys] += even @ allowed
        for heads in slices(n_heads, BLOCK_BYTES // (4 * allowed.size)):
            weights = block.kept.rows(heads, rows)
            looks = weights.any(axis=-1)
            self._looking[heads] += looks @ content
            self._falls[heads, keys] += content @ weights
            weights[:, own[0], own[1]] = 0
            self._given[keys] += (gives @ weights).sum(axis=0)

    def _own(
        self, queries: Int[np.ndarray, "row"], keys: Int[np.ndarray, "key"]
    ) -> tuple[Int[np.ndarray, "same"], Int[np.ndarray, "same"]]:
        """Row and column of what each of these queries gives itself."""
        if not self._is_self_attention:
            return np.zeros(0, int), np.zeros(0, int)
        rows, columns = np.nonzero(queries[:, None] == keys)
        return rows, columns


def _n_rows(block: Block) -> int:
    return min(BLOCK_BYTES // (4 * max(1, len(block.key_positions))), BLOCK_ROWS)

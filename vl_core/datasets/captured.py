"""From arrays that were captured elsewhere to a trace, measured like one of our own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32, Int

from vl_core.arrays import LayerAttention, TokenMask
from vl_core.counted import counted
from vl_core.errors import TraceError
from vl_core.head_stats import Measuring
from vl_core.trace import (
    Block,
    KeptWeights,
    Mask,
    Prediction,
    Provenance,
    Stack,
    Stream,
    TokenTable,
    Trace,
    TracedExample,
)

if TYPE_CHECKING:
    import torch

    from vl_core.trace.masks import MaskKind

Unchecked = Float[np.ndarray, "..."]  # of any shape, until it was looked at

STREAM = "encoder"

# bfloat16, the coarsest format in use, rounds each weight by at most 2e-3 of itself, and so the
# sum of a row.
ROW_ROUNDING = 4e-3


def captured_trace(
    example: TracedExample,
    tokens: TokenTable,
    attention: Unchecked,
    hidden_states: Unchecked | None,
    prediction: Prediction,
    provenance: Provenance,
) -> Trace:
    """A trace of one stream that looks at itself, with the statistics of all its heads.

    attention: layer x head x query x key. Its rows may sum to one as nearly as bfloat16 rounds, and
    are divided by their sum; those of padding may be empty. hidden_states: state x token x width,
    the embeddings and then those after each layer; None where none were kept. Which keys a query
    may look at is read off the weights: a layer is causal if no head ever looks ahead, and padding
    at which no head ever looks is masked. Raises TraceError, with what came and what was wanted,
    for arrays that do not fit together.
    """
    _check(tokens, attention, hidden_states)
    measuring = Measuring(tokens, tokens, example.regions)
    blocks = []
    for number, layer in enumerate(attention):
        given = _Given.of(number, layer, tokens.is_padding)
        measuring.add(number, given)
        blocks.append((given.block,))
    stack = Stack(
        STREAM,
        STREAM,
        STREAM,
        tokens,
        tokens,
        tuple(range(len(attention))),
        tuple(blocks),
        measuring.finished(),
        example.regions,
    )
    states = np.zeros((0, len(tokens), 0)) if hidden_states is None else hidden_states
    streams = {STREAM: Stream.of(STREAM, tokens, states)}
    return Trace(example, streams, {STREAM: stack}, prediction, provenance)


def provenance_of_tensors(model_id: str, dtype: np.dtype) -> Provenance:
    """What is known of arrays whose model never ran here: what it is called, and their type."""
    return Provenance(
        model_id,
        revision="",
        weights_hash="",
        family="",
        dtype=str(dtype),
        device="",
        versions={},
        preprocessing={},
    )


@dataclass(frozen=True, eq=False)
class _Given:
    """One layer's weights (head x query x key), as a source of rows for head statistics."""

    weights: Float32[np.ndarray, "head query key"]
    mask: Mask

    @classmethod
    def of(cls, number: int, layer: LayerAttention, is_padding: TokenMask) -> "_Given":
        """The layer with each row divided by its sum, which rounding has moved."""
        weights = layer.astype(np.float32)
        sums = weights.sum(axis=-1, keepdims=True)
        is_idle = (weights == 0).all(axis=(0, 2)) & is_padding
        _check_rows(number, weights[:, ~is_idle])
        np.divide(weights, sums, out=weights, where=sums > 0)
        return cls(weights, _mask(weights, is_padding, is_idle))

    @property
    def query_positions(self) -> Int[np.ndarray, "query"]:
        """All tokens."""
        return np.arange(self.weights.shape[1])

    @property
    def key_positions(self) -> Int[np.ndarray, "key"]:
        """All tokens."""
        return self.query_positions

    @property
    def n_heads(self) -> int:
        """How many heads look."""
        return len(self.weights)

    def rows(self, heads: slice, queries: slice, keys: slice) -> "torch.Tensor":
        """Weights of the chosen heads, queries and keys; a copy."""
        import torch  # noqa: PLC0415 data sets are imported before the first paint

        return torch.from_numpy(self.weights[heads, queries, keys].copy())

    def allowed(self, queries: slice) -> "torch.Tensor":
        """Which keys each of these queries may look at."""
        import torch  # noqa: PLC0415 as above

        return torch.from_numpy(self.mask.rows(queries, *self.weights.shape[1:]))

    @property
    def block(self) -> Block:
        """The layer as a trace keeps it."""
        kept = KeptWeights(self.weights.astype(np.float16), self.mask)
        return Block(self.query_positions, self.key_positions, kept)


def _mask(weights: LayerAttention, is_padding: TokenMask, is_idle: TokenMask) -> Mask:
    """The narrowest mask that would be told of a whole layer, and that forbids no weight there is.

    A single zero may as well be rounding, so it forbids nothing.
    """
    looked_at = (weights > 0).any(axis=0)
    is_hidden = is_padding & ~looked_at.any(axis=0)
    kind: MaskKind = "full" if np.triu(looked_at, 1).any() else "causal"
    mask = Mask(kind, is_padding=is_hidden if is_hidden.any() else None)
    if not is_idle.any():
        return mask
    allowed = mask.rows(slice(None), *looked_at.shape)
    allowed[is_idle] = False
    return Mask("explicit", allowed=allowed)


def _check(tokens: TokenTable, attention: Unchecked, hidden_states: Unchecked | None) -> None:
    count = len(tokens)
    if attention.ndim != 4 or attention.shape[2:] != (count, count) or not attention.size:
        raise TraceError(
            f"attention has the shape {_by(attention)}; layer x head x {count} x {count} is wanted "
            f"for {counted(count, 'token')}"
        )
    n_layers = len(attention)
    if hidden_states is None:
        return
    if hidden_states.ndim != 3 or hidden_states.shape[:2] != (n_layers + 1, count):
        raise TraceError(
            f"hidden states have the shape {_by(hidden_states)}; {n_layers + 1} x {count} x width "
            f"is wanted: the embeddings, then one state after each of {n_layers} layers"
        )
    if not np.isfinite(hidden_states).all():
        raise TraceError("hidden states are not finite everywhere")


def _check_rows(number: int, weights: LayerAttention) -> None:
    """Each row is a distribution, but for rounding."""
    where = f"attention of layer {number} (counted from 0)"
    if not np.isfinite(weights).all():
        raise TraceError(f"{where} is not finite everywhere")
    if weights.size and weights.min() < 0:
        raise TraceError(f"{where} has the weight {weights.min():.4f}; none may be below 0")
    sums = weights.sum(axis=-1)
    is_wrong = abs(sums - 1) > ROW_ROUNDING
    if is_wrong.any():
        raise TraceError(
            f"{where} has a row that sums to {sums[is_wrong][0]:.4f}, wanted 1: weights after the "
            f"softmax, without dropout, in the order query x key.{_swapped(weights)}"
        )


def _swapped(weights: LayerAttention) -> str:
    """A hint where columns are what rows should be."""
    is_swapped = (abs(weights.sum(axis=-2) - 1) <= ROW_ROUNDING).all()
    return " Its columns do: swap the last two axes." if is_swapped else ""


def _by(array: np.ndarray) -> str:
    return " x ".join(map(str, array.shape)) or "of a single number"

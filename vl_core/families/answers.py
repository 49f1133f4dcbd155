"""Answers out of a fixed list."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from vl_core.trace import Prediction

TOP = 5


def likeliest(logits: Tensor, names: Sequence[str] | Mapping[int, str]) -> Prediction:
    """The likeliest answers with their probabilities; logits: one number for each name."""
    return first(logits.float().softmax(dim=-1), names)


def first(shares: Tensor, names: Sequence[str] | Mapping[int, str]) -> Prediction:
    """The largest of these probabilities; shares: one for each name, whatever they sum to."""
    top = shares.topk(min(TOP, len(shares)))
    pairs = zip(top.indices.tolist(), top.values.tolist(), strict=True)
    return Prediction("answer", tuple((names[index], value) for index, value in pairs))

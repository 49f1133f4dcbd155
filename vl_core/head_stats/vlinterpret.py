"""The head statistics as VL-InterpreT computed them, bug for bug, under its menu's names.

They are kept so that its figures can be repeated; `vl_core.head_stats` has the corrected ones.
Its menu names the flow of information: "image-to-text" are text queries on image keys.
Source: Aflalo et al. 2022 and the code of the archived tool (app/database/db_analyzer.py). What
differs from the names:

- [CLS] and [SEP] are deleted, but text and image are parted where they were parted before: the
  first patches, as many as tokens were deleted, count as text.
- "Without self" zeroes a patch's neighbours in the sequence too and still divides by all pairs.
- "Intra-modal" is the mean of the two image-to-image maps; text never enters.
- z-scores are taken over the layers, for each head number by itself: heads of one layer cannot be
  compared. Combined maps are z-scored twice.
"""

import numpy as np
from jaxtyping import Float

from vl_core.arrays import HeadMap, LayerAttention, LayerCurve
from vl_core.errors import StatisticError
from vl_core.trace import Stack

IMAGE_TO_TEXT = "Mean image-to-text attention (without CLS/SEP)"
TEXT_TO_IMAGE = "Mean text-to-image attention (without CLS/SEP)"
IMAGE_TO_IMAGE = "Mean image-to-image attention (without CLS/SEP)"
WITHOUT_SELF = "Mean image-to-image attention (without self/CLS/SEP)"
TEXT_TO_TEXT = "Mean text-to-text attention (without CLS/SEP)"
CROSS_MODAL = "Mean cross-modal attention (without CLS/SEP)"
INTRA_MODAL = "Mean intra-modal attention (without CLS/SEP)"
LABELS = (
    IMAGE_TO_TEXT,
    TEXT_TO_IMAGE,
    IMAGE_TO_IMAGE,
    WITHOUT_SELF,
    TEXT_TO_TEXT,
    CROSS_MODAL,
    INTRA_MODAL,
)
DELETED = ("[SEP]", "[CLS]")


def applies_to(stack: Stack) -> bool:
    """Whether the stack is what VL-InterpreT knew: one stream, text first, then only patches.

    There must be more patches than deleted tokens, as so many count as text.
    """
    tokens = stack.queries
    n_text, n_image = int(tokens.is_image.argmax()), int(tokens.is_image.sum())
    n_deleted = sum(text in DELETED for text in tokens.texts)
    is_ordered = n_text + n_image == len(tokens) and n_text > 0 and n_deleted < n_image
    return stack.keys is tokens and is_ordered


def statistics(stack: Stack) -> dict[str, HeadMap]:
    """z-scored maps, layer x head, by the label of its menu.

    nan for a head number whose value is the same in all layers. Raises StatisticError for a stack
    that is not one stream of text followed by patches.
    """
    means = mean_weights(stack)
    scored = {label: _z_scores(values) for label, values in means.items()}
    scored[CROSS_MODAL] = _z_scores((scored[IMAGE_TO_TEXT] + scored[TEXT_TO_IMAGE]) / 2)
    scored[INTRA_MODAL] = _z_scores((scored[IMAGE_TO_IMAGE] + scored[WITHOUT_SELF]) / 2)
    return scored


def layer_means(values: HeadMap) -> LayerCurve:
    """Its column "Mean": the mean of each layer's z-scores; missing if any of them is."""
    return np.asarray(values.mean(axis=1))


def mean_weights(stack: Stack) -> dict[str, HeadMap]:
    """The five means before their z-score, layer x head, by the label of its menu.

    Raises StatisticError for a stack that is not one stream of text followed by patches.
    """
    if not applies_to(stack):
        raise StatisticError(
            f"VL-InterpreT's statistics are defined for one stream of text followed by patches; "
            f"stack {stack.name} is none. Choose the raw values or the z-scores."
        )
    n_text = int(np.flatnonzero(stack.queries.is_image)[0])
    kept = np.array([text not in DELETED for text in stack.queries.texts])
    parts = [
        _heads_means(heads[:, kept][:, :, kept], n_text)
        for layer in range(stack.n_layers)
        for heads in stack.weights.of_heads(layer)
    ]
    shape = (stack.n_layers, stack.n_heads)
    return {
        label: np.concatenate([part[label] for part in parts]).reshape(shape)
        for label in LABELS[:5]
    }


def _heads_means(weights: LayerAttention, n_text: int) -> dict[str, Float[np.ndarray, "head"]]:
    """The means of some heads, parted at the number of text tokens before the deletion."""
    image = weights[:, n_text:, n_text:]
    # |i - j| > 1: the tool zeroed each patch's neighbours in the sequence along with itself.
    far = ~np.tri(image.shape[1], k=1, dtype=bool) | np.tri(image.shape[1], k=-2, dtype=bool)
    blocks = {
        IMAGE_TO_TEXT: weights[:, :n_text, n_text:],
        TEXT_TO_IMAGE: weights[:, n_text:, :n_text],
        IMAGE_TO_IMAGE: image,
        WITHOUT_SELF: image * far,
        TEXT_TO_TEXT: weights[:, :n_text, :n_text],
    }
    return {label: block.mean(axis=(1, 2), dtype=np.float64) for label, block in blocks.items()}


def _z_scores(values: HeadMap) -> HeadMap:
    """Over the layers, for each head number by itself, as scipy.stats.zscore does by default."""
    constant = (values == values[:1]).all(axis=0)
    deviation = np.where(constant, np.nan, values.std(axis=0))
    return np.asarray((values - values.mean(axis=0)) / deviation)

"""Who lies near whom in the full space of hidden states, and how far words and patches lie apart.

Everything is computed on states that are centred: from each state the mean over its tokens is
taken away, since hidden states of transformers share a large common part that would make all
cosines nearly one (Ethayarajh 2019, "How Contextual are Contextualized Word Representations?").
Pass the tokens that take part (without padding), as their mean is the origin.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from vl_core.arrays import HiddenStates, StateCurve, TokenMask

Vectors = Float[np.ndarray, "token width"]
PerToken = Float[np.ndarray, "token"]

ROWS = 256  # tokens whose distances to all others are formed together


@dataclass(frozen=True)
class Neighbours:
    """The nearest tokens of each asked token after each state, the nearest first.

    tokens: their positions among the tokens passed; -1 where there are no more candidates.
    cosines: of the angle between the two centred states, -1..1; nan where there is no token.
    """

    tokens: Int[np.ndarray, "state asked rank"]
    cosines: Float[np.ndarray, "state asked rank"]


@dataclass(frozen=True)
class ModalityGap:
    """How far words and patches lie apart, one number for each state; nan where undefined.

    silhouette: mean over tokens of (b - a) / max(a, b), a the mean distance (1 - cosine) to the
    other tokens of the own modality, b to those of the other one; -1..1, 0 is no separation
    (Rousseeuw 1987). mixing: the share of tokens whose nearest neighbour is of the other modality,
    divided by the share that chance would give; 1 is mixed as by chance, 0 not at all. distance:
    between the centroids of the modalities (Liang et al. 2022, "Mind the Gap"), in units of the
    spread: the root mean square distance of the tokens from their own centroid.
    """

    silhouette: StateCurve
    mixing: StateCurve
    distance: StateCurve


def nearest(
    hidden_states: HiddenStates,
    asked: Int[np.ndarray, "asked"],
    candidates: TokenMask,
    count: int,
) -> Neighbours:
    """The `count` candidates nearest to each asked token by cosine, after each state.

    A token is no neighbour of its own. Of equally near ones the first comes first. A token that
    lies in the mean has cosine 0 with all.
    """
    n_states, n_tokens, _ = hidden_states.shape
    tokens = np.full((n_states, len(asked), count), -1)
    cosines = np.full((n_states, len(asked), count), np.nan, np.float32)
    found = min(count, n_tokens)
    for state, vectors in enumerate(hidden_states):
        directions = _directions(vectors)
        similarity = directions[asked] @ directions.T
        is_out = ~candidates | (asked[:, None] == np.arange(n_tokens))
        order = np.argsort(np.where(is_out, np.inf, -similarity), axis=1, kind="stable")[:, :found]
        is_found = ~np.take_along_axis(is_out, order, axis=1)
        near = np.take_along_axis(similarity, order, axis=1).clip(-1, 1)
        tokens[state, :, :found] = np.where(is_found, order, -1)
        cosines[state, :, :found] = np.where(is_found, near, np.nan)
    return Neighbours(tokens, cosines)


def modality_gap(
    hidden_states: HiddenStates, is_text: TokenMask, is_image: TokenMask
) -> ModalityGap:
    """How far words and patches lie apart after each state; other tokens do not take part.

    All three are nan where a modality has no token or where all tokens lie in one place, the
    distance also where each modality lies in one.
    """
    chosen = is_text | is_image
    measures = [_gap(vectors[chosen], is_text[chosen]) for vectors in hidden_states]
    return ModalityGap(*np.array(measures, float).reshape(-1, 3).T)


def _gap(vectors: Vectors, is_text: TokenMask) -> tuple[float, float, float]:
    """Silhouette, mixing and centroid distance of one state."""
    if is_text.all() or not is_text.any() or (vectors == vectors[0]).all():
        return np.nan, np.nan, np.nan
    to_text, to_image, nearest_one = _distances(_directions(vectors), is_text)
    silhouette = _silhouette(to_text, to_image, is_text)
    return silhouette, _mixing(nearest_one, is_text), _distance(vectors, is_text)


def _distances(
    directions: Float32[np.ndarray, "token width"], is_text: TokenMask
) -> tuple[PerToken, PerToken, Int[np.ndarray, "token"]]:
    """Of each token: summed distances to words and to patches, and which other one is nearest."""
    count = len(directions)
    to_text, to_image, nearest_one = np.empty(count), np.empty(count), np.empty(count, int)
    for start in range(0, count, ROWS):
        rows = slice(start, min(start + ROWS, count))
        itself = np.arange(rows.stop - start), np.arange(start, rows.stop)
        cosines = (directions[rows] @ directions.T).astype(float)
        cosines[itself] = -np.inf
        nearest_one[rows] = cosines.argmax(axis=1)
        cosines[itself] = 1
        distances = np.subtract(1, cosines, out=cosines)
        to_text[rows] = distances @ is_text
        to_image[rows] = distances @ ~is_text
    return to_text, to_image, nearest_one


def _silhouette(to_text: PerToken, to_image: PerToken, is_text: TokenMask) -> float:
    n_text = int(is_text.sum())
    n_own = np.where(is_text, n_text, len(is_text) - n_text)
    own = np.where(is_text, to_text, to_image) / np.maximum(n_own - 1, 1)
    other = np.where(is_text, to_image, to_text) / (len(is_text) - n_own)
    larger = np.maximum(own, other)
    # The only token of its modality counts as 0, by Rousseeuw's definition.
    counts = (n_own > 1) & (larger > 0)
    return float(np.where(counts, (other - own) / np.where(counts, larger, 1), 0).mean())


def _mixing(nearest_one: Int[np.ndarray, "token"], is_text: TokenMask) -> float:
    found = (is_text[nearest_one] != is_text).mean()
    count, n_text = len(is_text), int(is_text.sum())
    by_chance = 2 * n_text * (count - n_text) / (count * (count - 1))
    return float(found / by_chance)


def _distance(vectors: Vectors, is_text: TokenMask) -> float:
    vectors = vectors.astype(float)
    centroids = {kind: vectors[is_text == kind].mean(axis=0) for kind in (True, False)}
    own = np.where(is_text[:, None], centroids[True], centroids[False])
    spread = np.sqrt(np.square(vectors - own).sum(axis=1).mean())
    apart = np.linalg.norm(centroids[True] - centroids[False])
    return float(apart / spread) if spread > 0 else np.nan


def _directions(vectors: Vectors) -> Float32[np.ndarray, "token width"]:
    """Centred states of length one; a token that lies in the mean keeps length zero."""
    vectors = vectors.astype(np.float64)
    centred = vectors - vectors.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    # A token in the mean may miss it by rounding; that has no direction.
    is_apart = lengths > 1e-9 * np.abs(vectors).max(initial=0)
    directions = np.divide(centred, lengths, out=np.zeros_like(centred), where=is_apart)
    return directions.astype(np.float32)

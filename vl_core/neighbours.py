"""Who lies near whom in the full space of hidden states, and how far words and patches lie apart.

Everything is computed on states that are centred, as `centring` says. Pass the tokens that take
part (without padding), as their mean is the origin. States are unpacked one at a time, and no table
of token x token is formed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from vl_core.arrays import StateCurve, TokenMask
from vl_core.centring import Centred, State, States, centred, directions, lengths

PerToken = Float[np.ndarray, "token"]
Positions = Int[np.ndarray, "asked"]

ROWS = 256  # tokens whose cosines with all others are formed together
MIXING_TOKENS = 500  # of more, so many evenly spread ones are asked for their nearest neighbour


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
    divided by the share that chance would give; 1 is mixed as by chance, 0 not at all; of more
    than MIXING_TOKENS tokens, so many evenly spread ones are asked. distance: between the
    centroids of the modalities (Liang et al. 2022, "Mind the Gap"), in units of the spread: the
    root mean square distance of the tokens from their own centroid.
    """

    silhouette: StateCurve
    mixing: StateCurve
    distance: StateCurve


def nearest(
    hidden_states: States, asked: Positions, candidates: Sequence[TokenMask], count: int
) -> tuple[Neighbours, ...]:
    """Of each set of candidates the `count` nearest to each asked token by cosine, by state.

    A token is no neighbour of its own. Of equally near ones the first comes first. A token that
    lies in the mean has cosine 0 with all.
    """
    shape = len(hidden_states), len(asked), count
    found = tuple(Neighbours(np.full(shape, -1), _missing(shape)) for _ in candidates)
    for state, vectors in enumerate(hidden_states):
        seen = centred(vectors)
        far = lengths(vectors, seen)
        for start in range(0, len(asked), ROWS):
            rows = slice(start, start + ROWS)
            near = _cosines(seen, far, asked[rows])
            near[np.arange(len(near)), asked[rows]] = -np.inf
            for one, mask in zip(found, candidates, strict=True):
                allowed = np.where(mask, near, np.float32(-np.inf))
                one.tokens[state, rows], one.cosines[state, rows] = _highest(allowed, count)
    return found


def _missing(shape: tuple[int, ...]) -> Float32[np.ndarray, "..."]:
    return np.full(shape, np.nan, np.float32)


def _cosines(seen: Centred, far: PerToken, asked: Positions) -> Float32[np.ndarray, "asked token"]:
    """Of the angles between the asked tokens and all; 0 with a token that lies in the mean."""
    products = seen[asked] @ seen.T
    scale = far[asked, None] * far
    found = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
    return np.clip(found, -1, 1, out=found)


def _highest(
    values: Float32[np.ndarray, "asked token"], count: int
) -> tuple[Int[np.ndarray, "asked rank"], Float32[np.ndarray, "asked rank"]]:
    """The places of the greatest values of each row and these values; -1 and nan for -inf.

    Changes the values. One after the other, as of equal ones the first is to come first.
    """
    rows = np.arange(len(values))
    places = np.full((len(values), count), -1)
    highest = _missing(places.shape)
    for rank in range(min(count, values.shape[1])):
        place = values.argmax(axis=1)
        value = values[rows, place]
        is_found = value > -np.inf
        places[is_found, rank] = place[is_found]
        highest[is_found, rank] = value[is_found]
        values[rows, place] = -np.inf
    return places, highest


def modality_gap(hidden_states: States, is_text: TokenMask, is_image: TokenMask) -> ModalityGap:
    """How far words and patches lie apart after each state; other tokens do not take part.

    All three are nan where a modality has no token or where all tokens lie in one place, the
    distance also where each modality lies in one.
    """
    chosen = is_text | is_image
    measures = [_gap(vectors[chosen], is_text[chosen]) for vectors in hidden_states]
    return ModalityGap(*np.array(measures, float).reshape(-1, 3).T)


def _gap(vectors: State, is_text: TokenMask) -> tuple[float, float, float]:
    """Silhouette, mixing and centroid distance of one state."""
    if is_text.all() or not is_text.any() or (vectors == vectors[0]).all():
        return np.nan, np.nan, np.nan
    seen = directions(vectors)
    return _silhouette(seen, is_text), _mixing(seen, is_text), _distance(vectors, is_text)


def _silhouette(seen: Centred, is_text: TokenMask) -> float:
    own_total, other_total = _distance_sums(seen, is_text)
    n_own = np.where(is_text, is_text.sum(), (~is_text).sum())
    own, other = own_total / np.maximum(n_own - 1, 1), other_total / (len(is_text) - n_own)
    larger = np.maximum(own, other)
    # The only token of its modality counts as 0, by Rousseeuw's definition.
    counts = (n_own > 1) & (larger > 0)
    return float(np.where(counts, (other - own) / np.where(counts, larger, 1), 0).mean())


def _distance_sums(seen: Centred, is_text: TokenMask) -> tuple[PerToken, PerToken]:
    """Of each token: summed distances (1 - cosine) to the others of its modality, to the other's.

    A sum of cosines with many tokens is one product with the sum of their directions.
    """
    vectors = seen.astype(float)
    to_kind = {kind: vectors @ vectors[is_text == kind].sum(axis=0) for kind in (True, False)}
    n_text = int(is_text.sum())
    to_text, to_image = n_text - to_kind[True], len(is_text) - n_text - to_kind[False]
    itself = 1 - np.einsum("tw,tw->t", vectors, vectors)
    return np.where(is_text, to_text, to_image) - itself, np.where(is_text, to_image, to_text)


def _mixing(seen: Centred, is_text: TokenMask) -> float:
    count = len(is_text)
    asked = np.linspace(0, count - 1, min(count, MIXING_TOKENS)).round().astype(int)
    crossed = 0
    for start in range(0, len(asked), ROWS):
        some = asked[start : start + ROWS]
        cosines = seen[some] @ seen.T
        cosines[np.arange(len(some)), some] = -np.inf
        crossed += int((is_text[cosines.argmax(axis=1)] != is_text[some]).sum())
    n_others = np.where(is_text[asked], (~is_text).sum(), is_text.sum())
    return float(crossed / (n_others / (count - 1)).sum())


def _distance(vectors: State, is_text: TokenMask) -> float:
    vectors = vectors.astype(float)
    centroids = {kind: vectors[is_text == kind].mean(axis=0) for kind in (True, False)}
    own = np.where(is_text[:, None], centroids[True], centroids[False])
    spread = np.sqrt(np.square(vectors - own).sum(axis=1).mean())
    apart = np.linalg.norm(centroids[True] - centroids[False])
    return float(apart / spread) if spread > 0 else np.nan

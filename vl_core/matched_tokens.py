"""Which token of one example is which token of another."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from vl_core.token_attention import has_place
from vl_core.trace import TokenTable

Pairs = Int[np.ndarray, "pair 2"]

# A hundredth of a pixel covers the rounding of edges that come from divisions.
DECIMALS = 2


def matched_tokens(one: TokenTable, other: TokenTable) -> Pairs:
    """Positions in the one beside those in the other, in the order of the one.

    Words are matched with words, those of the model's answer with those of its answer, and specials
    with specials: as many as can be, by their texts and without changing their order. Patches are
    the same if they have the same box in the same view; tokens of the image without a place are
    matched by their texts. Padding has no counterpart, and no token has two.
    """
    pairs = _by_box(one, other)
    for mine, its in zip(_groups(one), _groups(other), strict=True):
        texts = [one.texts[i] for i in mine], [other.texts[i] for i in its]
        pairs += [(int(mine[i]), int(its[j])) for i, j in longest_common(*texts)]
    return np.array(sorted(pairs), int).reshape(-1, 2)


def longest_common(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """The places in both of a longest common subsequence: of several, one that matches early.

    Takes 4 bytes times the product of the lengths, without what both begin and end with.
    """
    shorter = min(len(one), len(other))
    head = next((i for i in range(shorter) if one[i] != other[i]), shorter)
    rest = shorter - head
    tail = next((i for i in range(rest) if one[-1 - i] != other[-1 - i]), rest)
    middle = _through_table(one[head : len(one) - tail], other[head : len(other) - tail])
    return [
        *((i, i) for i in range(head)),
        *((head + i, head + j) for i, j in middle),
        *((len(one) - i, len(other) - i) for i in range(tail, 0, -1)),
    ]


def _through_table(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """By the table of lengths for all beginnings of both."""
    numbers = {text: number for number, text in enumerate(dict.fromkeys([*one, *other]))}
    theirs = np.array([numbers[text] for text in other], int)
    lengths = np.zeros((len(one) + 1, len(other) + 1), np.int32)
    for i, text in enumerate(one):
        longer = lengths[i, :-1] + (theirs == numbers[text])
        lengths[i + 1, 1:] = np.maximum.accumulate(np.maximum(lengths[i, 1:], longer))
    found = []
    i, j = len(one), len(other)
    while lengths[i, j]:
        if lengths[i, j] == lengths[i - 1, j]:
            i -= 1
        elif lengths[i, j] == lengths[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            found.append((i, j))
    return found[::-1]


def _groups(tokens: TokenTable) -> list[Int[np.ndarray, "_"]]:
    """Positions of what is matched by its texts: each group with its like."""
    kinds = (tokens.is_text, tokens.is_special, tokens.is_image & ~has_place(tokens))
    return [
        np.flatnonzero(is_kind & (tokens.is_generated == is_generated))
        for is_kind in kinds
        for is_generated in (False, True)
    ]


def _by_box(one: TokenTable, other: TokenTable) -> list[tuple[int, int]]:
    """Patches at the same place; of several with one box, as a detector can find, in order."""
    offered = defaultdict(list)
    for position in reversed(np.flatnonzero(has_place(other)).tolist()):
        offered[_place(other, position)].append(position)
    return [
        (position, its.pop())
        for position in np.flatnonzero(has_place(one)).tolist()
        if (its := offered[_place(one, position)])
    ]


def _place(tokens: TokenTable, position: int) -> tuple[str, tuple[float, ...]]:
    return tokens.views[position], tuple(tokens.boxes[position].round(DECIMALS).tolist())

"""What differs between two examples, to take away: a line for each head, or for each token."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from vl_core.arrays import HeadMap
from vl_core.comparison import InBoth
from vl_core.token_attention import token_names
from vl_core.trace import TokenTable


def heads_as_csv(layers: Sequence[int], one: HeadMap, other: HeadMap) -> str:
    """Layer and head, the value in A and in B, and B minus A; what is missing is empty.

    Layers, whose numbers `layers` gives from 0, and heads count from 1, as on screen.
    """
    n_heads = one.shape[1]
    rows = [
        [layers[place // n_heads] + 1, place % n_heads + 1, *_numbers(mine, its)]
        for place, (mine, its) in enumerate(zip(one.ravel(), other.ravel(), strict=True))
    ]
    return _written(["layer", "head", "a", "b", "b_minus_a"], rows)


def attention_as_csv(one: TokenTable, other: TokenTable, found: InBoth) -> str:
    """A line for each token that A or B has, those that both have first.

    one, other: the tokens that are looked at, or those that look, as `found` is about either.
    Its position in A and in B (from 1), name, kind, box in the picture, the share of attention in A
    and in B, and B minus A. What a token has no counterpart for is empty.
    """
    mine, its = found.shares
    of_one, of_other = _described(one), _described(other)
    rows: list[list[object]] = [
        [i + 1, j + 1, *of_other[j], *_numbers(mine[i], its[j])] for i, j in found.tokens.tolist()
    ]
    alone, alone_there = (_without(len(row), found, side) for side, row in enumerate(found.shares))
    rows += [[i + 1, "", *of_one[i], *_numbers(mine[i], np.nan)] for i in alone]
    rows += [["", j + 1, *of_other[j], *_numbers(np.nan, its[j])] for j in alone_there]
    sides = ["left", "top", "right", "bottom"]
    header = ["position_in_a", "position_in_b", "token", "kind", *sides, "a", "b", "b_minus_a"]
    return _written(header, rows)


def _described(tokens: TokenTable) -> list[list[str]]:
    """Name, kind and box of each token."""
    boxes = [["" if np.isnan(edge) else f"{edge:g}" for edge in box] for box in tokens.boxes]
    names = token_names(tokens)
    return [[names[i], tokens.kinds[i], *box] for i, box in enumerate(boxes)]


def _without(count: int, found: InBoth, side: int) -> list[int]:
    """Positions of the tokens without a counterpart."""
    return np.setdiff1d(np.arange(count), found.tokens[:, side]).tolist()


def _numbers(one: float, other: float) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.8g}" for value in (one, other, other - one)]


def _written(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    content = io.StringIO()
    table = csv.writer(content)
    table.writerow(header)
    table.writerows(rows)
    return content.getvalue()

"""Attention to take away: a line for each token, or arrays as large as the budget allows."""

import csv
import io
from typing import Literal

import numpy as np

from vl_core.token_attention import Profile, in_chunks, rows_at, token_names
from vl_core.trace import Stack, TokenTable

BUDGET = 64 * 2**20  # bytes of weights in one file

Extent = Literal["heads", "head", "profile"]


def as_csv(tokens: TokenTable, values: Profile) -> str:
    """One line for each token: position (from 1), name, kind, box in the picture, weight."""
    content = io.StringIO()
    table = csv.writer(content)
    table.writerow(["position", "token", "kind", "left", "top", "right", "bottom", "weight"])
    names = token_names(tokens)
    for i, value in enumerate(values):
        box = ["" if np.isnan(edge) else f"{edge:g}" for edge in tokens.boxes[i]]
        table.writerow([i + 1, names[i], tokens.kinds[i], *box, f"{value:.8g}"])
    return content.getvalue()


def extent(stack: Stack) -> Extent:
    """What fits one file: all heads of a layer, one head, or only the profile on show."""
    size = 4 * len(stack.queries) * len(stack.keys)
    if size * stack.n_heads <= BUDGET:
        return "heads"
    return "head" if size <= BUDGET else "profile"


def arrays(
    stack: Stack, layer: int | None, head: int | None, values: Profile
) -> dict[str, np.ndarray]:
    """Weights of a layer (None: the mean over layers), with what each token is.

    profile: the values on show. weights: head x query x key, all heads, or query x key of the one
    that is shown (None: the mean over heads), as `extent` says. Names, kinds and boxes of queries
    and keys stand beside them.
    """
    found = {"profile": values}
    held = extent(stack)
    if held == "heads":
        heads = [_head(stack, layer, one) for one in range(stack.n_heads)]
        found["weights"] = np.stack(heads)
    elif held == "head":
        found["weights"] = _head(stack, layer, head)
    for role, tokens in (("query", stack.queries), ("key", stack.keys)):
        found[f"{role}_names"] = np.array(token_names(tokens))
        found[f"{role}_kinds"] = np.array(tokens.kinds)
        found[f"{role}_boxes"] = tokens.boxes
    return found


def _head(stack: Stack, layer: int | None, head: int | None) -> np.ndarray:
    everyone = np.arange(len(stack.queries))
    return np.concatenate(
        [rows_at(stack, layer, head, some) for some in in_chunks(stack, everyone)]
    )

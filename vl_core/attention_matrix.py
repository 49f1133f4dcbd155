"""A whole matrix of attention in few enough cells to be looked at: long axes are binned."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vl_core.token_attention import Position, asking, in_chunks, rows_at
from vl_core.trace import Stack

Positions = Int[np.ndarray, "_"]  # of either stream: queries and keys differ in number

MOST = 600  # cells along an axis: more are finer than a screen


@dataclass(frozen=True, eq=False)
class Matrix:
    """Weights of some queries (rows) on some keys (columns), or means of them.

    queries, keys: their positions, which are not binned. row_bin, column_bin: how many queries
    share a row and keys a column; the last bin of an axis may hold fewer.
    """

    values: Float[np.ndarray, "row column"]
    queries: Positions
    keys: Positions
    row_bin: int = 1
    column_bin: int = 1

    @property
    def is_binned(self) -> bool:
        """Whether a cell is the mean of several weights."""
        return max(self.row_bin, self.column_bin) > 1


def matrix(
    stack: Stack,
    layer: int | None,
    head: int | None,
    queries: Positions,
    keys: Positions,
    most: int = MOST,
    *,
    position: Position = "reads",
) -> Matrix:
    """Attention of the queries on the keys with at most so many rows and columns.

    layer, head: None is the mean over layers, or heads. position: of a generated query, the row of
    the position that reads it, or that of the one that predicts it, as `asking` says. A few rows
    are formed at a time.
    """
    row_bin, column_bin = (-(-len(positions) // most) or 1 for positions in (queries, keys))
    values = np.zeros((-(-len(queries) // row_bin), -(-len(keys) // column_bin)), np.float32)
    counts = np.bincount(np.arange(len(queries)) // row_bin, minlength=len(values))
    done = 0
    for some in in_chunks(stack, np.array(asking(stack.queries, queries.tolist(), position), int)):
        rows = _column_means(rows_at(stack, layer, head, some)[:, keys], column_bin)
        np.add.at(values, (done + np.arange(len(some))) // row_bin, rows)
        done += len(some)
    return Matrix(values / np.maximum(1, counts)[:, None], queries, keys, row_bin, column_bin)


def _column_means(
    rows: Float[np.ndarray, "row key"], width: int
) -> Float[np.ndarray, "row column"]:
    if width == 1:
        return rows
    starts = np.arange(0, rows.shape[1], width)
    sizes = np.diff(np.append(starts, rows.shape[1]))
    return np.asarray(np.add.reduceat(rows, starts, axis=1) / sizes)

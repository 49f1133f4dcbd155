"""Relative attention on the picture: how many times as much as for a neutral prompt."""

import math
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from vl_core.arrays import Pixels
from vl_core.figures.color_scale import ColorScale, hex_colors
from vl_core.figures.picture import add_picture
from vl_core.figures.style import DIVERGING, styled
from vl_core.token_attention import Profile, in_view, token_names
from vl_core.trace import TokenTable

if TYPE_CHECKING:
    import plotly.graph_objects as go

HIGHEST, WIDEST = 360, 600  # pixels that the picture fills at most
MARGINS = {"l": 0, "r": 96, "t": 44, "b": 8}  # on the right the color bar with its numbers
WITHIN = 0.95  # of the patches: those beyond do not decide how far the colors reach
FARTHEST = 10  # doublings at most that the colors span on either side


def relative_map(
    picture: Pixels,
    size: tuple[int, int],
    tokens: TokenTable,
    values: Profile,
    title: str,
    view: str = "",
) -> "go.Figure":
    """The patches of a view that have a value and a place, colored by doublings from one.

    size: width and height that the tokens' boxes are given in. values: one ratio for each token,
    nan where it is missing. view: which view's patches lie on the picture, where it has several.
    Blue is less than one, red more; patches beyond `reach` have the last color, those without a
    value none.
    """
    import plotly.graph_objects as go  # noqa: PLC0415 takes a while, and only this view waits

    shown = np.flatnonzero(in_view(tokens, view) & np.isfinite(values))
    height, width = picture.shape[:2]
    boxes = tokens.boxes[shown] * np.tile([width / size[0], height / size[1]], 2)
    names = token_names(tokens)
    labels = [f"{escape(names[i], quote=False)}: {times(values[i])}" for i in shown]
    limit = reach(values[shown])
    with np.errstate(divide="ignore"):
        doublings = np.clip(np.log2(values[shown]), -limit, limit)
    figure = go.Figure()
    scale = ColorScale(-limit, limit, hex_colors(DIVERGING))
    add_picture(figure, picture, boxes, doublings, labels, scale=scale)
    # The picture's marks are made for shares of attention; these numbers are ratios.
    figure.update_traces(text=labels, marker_colorbar=_bar(limit))
    # As wide as the picture, so that the color bar stands beside it.
    room = min(HIGHEST / height, WIDEST / width)
    high, wide = round(height * room), round(width * room)
    styled(figure, escape(title, quote=False), high + MARGINS["t"] + MARGINS["b"])
    return figure.update_layout(margin=MARGINS, width=wide + MARGINS["l"] + MARGINS["r"])


def reach(ratios: Profile) -> int:
    """How many doublings (and halvings) from one the colors span: a whole number from 1 on.

    As far as 19 of 20 ratios that are more than nothing: a single one that is thousands of times
    the others would leave them all alike.
    """
    found = np.abs(np.log2(ratios[ratios > 0]))
    if not len(found):
        return 1
    usual = float(np.quantile(found, WITHIN, method="lower"))
    return min(FARTHEST, max(1, math.ceil(usual)))


def n_beyond(ratios: Profile) -> int:
    """How many ratios lie beyond what the colors span, and have the last color."""
    limit = 2.0 ** reach(ratios)
    return int(((ratios > limit) | (ratios < 1 / limit)).sum())


def times(ratio: float) -> str:
    """A ratio as it is read: in plain digits."""
    if ratio >= 100:
        return f"{ratio:,.0f} ×"
    return f"{ratio:.3g} ×" if ratio >= 0.001 or ratio == 0 else "<0.001 ×"


def _bar(limit: int) -> dict[str, object]:
    """Marks at some doublings, always at one and at both ends."""
    step = -(-limit // 4)
    up = [*range(0, limit, step), limit]
    marks = sorted({-mark for mark in up} | set(up))
    names = {mark: f"{2**mark:,} ×" if mark >= 0 else f"1/{2**-mark:,} ×" for mark in marks}
    return {
        "tickmode": "array",
        "tickvals": marks,
        "ticktext": [
            f"{'≤ ' if mark == -limit else '≥ ' if mark == limit else ''}{names[mark]}"
            for mark in marks
        ],
    }

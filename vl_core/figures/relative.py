"""Relative attention on the picture: how many times as much as for a neutral prompt."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from vl_core.arrays import Pixels
from vl_core.figures.picture import add_picture
from vl_core.figures.style import styled
from vl_core.token_attention import Profile, token_names
from vl_core.trace import TokenTable

if TYPE_CHECKING:
    import plotly.graph_objects as go


def relative_map(
    picture: Pixels, size: tuple[int, int], tokens: TokenTable, values: Profile, title: str
) -> "go.Figure":
    """The patches that have a value and a place, colored from 0 to the greatest; others are gray.

    size: width and height that the tokens' boxes are given in. values: one ratio for each token,
    nan where it is missing.
    """
    import plotly.graph_objects as go  # noqa: PLC0415 takes a while, and only this view waits

    has_place = tokens.is_image & ~np.isnan(tokens.boxes).any(axis=1)
    shown = np.flatnonzero(has_place & np.isfinite(values))
    height, width = picture.shape[:2]
    boxes = tokens.boxes[shown] * np.tile([width / size[0], height / size[1]], 2)
    names = token_names(tokens)
    labels = [f"{escape(names[i], quote=False)}: {values[i]:.3g} ×" for i in shown]
    figure = go.Figure()
    add_picture(figure, picture, boxes, values[shown], labels)
    # The picture's marks are made for shares of attention; these numbers are ratios.
    bar = {"tickformat": ".3~g", "ticksuffix": " ×"}
    figure.update_traces(text=labels, marker_colorbar=bar)
    return styled(figure, escape(title, quote=False), 420)

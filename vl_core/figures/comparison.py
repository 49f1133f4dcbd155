"""Two examples beside each other: A and B on one color scale, B minus A around zero."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from vl_core.arrays import Boxes, HeadMap, Pixels
from vl_core.figures import heads
from vl_core.figures.color_scale import ColorScale, from_zero, sequential, symmetric
from vl_core.figures.picture import PatchWeights, add_picture
from vl_core.figures.style import KIND_COLORS, styled
from vl_core.head_stats.views import layer_means
from vl_core.token_attention import token_names
from vl_core.trace import TokenTable

if TYPE_CHECKING:
    import plotly.graph_objects as go

Positions = Int[np.ndarray, "token"]
ONE, OTHER, DIFFERENCE = "A", "B", "B − A"
LEAST = 0.01  # of the scale of A and B: what differs by less stays pale, bars of less are short
POINTS = "percentage points"
FAINT = 0.45  # how dense the bars of A are beside those of B
MOST_BARS = 40  # more are no longer read
BAR_HEIGHT = 34  # pixels of a token's two bars
PICTURES_HEIGHT = 360  # pixels, at most, of pictures side by side
COLUMN = 330  # pixels: how wide one of them is
BAR_ROOM = 64  # pixels, of a color bar below a picture


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture with what was looked at in it.

    boxes: of the patches, in pixels of this picture. weights: shares of attention. names: of the
    patches.
    """

    picture: Pixels
    boxes: Boxes
    weights: PatchWeights
    names: Sequence[str]


def heads_scale(one: HeadMap, other: HeadMap) -> ColorScale:
    """The scale that A and B share: from the smallest to the largest value of both."""
    return sequential(np.concatenate([one, other], axis=1))


def heads_difference_scale(one: HeadMap, other: HeadMap) -> ColorScale:
    """As far below zero as above it; a hundredth of the scale of A and B at least."""
    shared = heads_scale(one, other)
    return _around_zero(other - one, LEAST * (shared.high - shared.low))


def shares_scale(one: PatchWeights, other: Float[np.ndarray, "token_of_b"]) -> ColorScale:
    """The scale of attention that A and B share: from zero to the largest share of both."""
    return from_zero(np.concatenate([one, other]))


def _around_zero(differences: np.ndarray, least: float) -> ColorScale:
    found = np.abs(differences[np.isfinite(differences)])
    return symmetric(np.zeros((0, 0)), max(float(found.max(initial=0)), least) or 1.0)


def head_maps(
    one: HeadMap, other: HeadMap, *, name: str, unit: str, layers: Sequence[int]
) -> "go.Figure":
    """The heads of A, of B and their difference side by side, each with the means of its layers.

    `layers` are the layers' numbers on screen.
    """
    from plotly.subplots import make_subplots  # noqa: PLC0415 takes a while, only this view waits

    maps = (one, other, other - one)
    scales = (heads_scale(one, other), heads_difference_scale(one, other))
    figure = make_subplots(cols=3, horizontal_spacing=0.09, subplot_titles=(ONE, OTHER, DIFFERENCE))
    for column, values in enumerate(maps, 1):
        shown = heads.head_map(
            values, layer_means(values), scales[0], name="", unit=unit, layers=layers
        )
        shown.update_traces(coloraxis=f"coloraxis{column // 3 + 1}", selector={"type": "heatmap"})
        figure.add_traces(shown.data, rows=1, cols=column)
        figure.update_xaxes(shown.layout.xaxis.to_plotly_json(), col=column)
        figure.update_yaxes(shown.layout.yaxis.to_plotly_json(), col=column)
    for number, scale in enumerate(scales, 1):
        called = unit if number == 1 else f"{unit}, {DIFFERENCE}"
        bar = {"title": {"text": called, "side": "top"}, "outlinewidth": 0, "thickness": 12}
        place = {"orientation": "h", "y": -0.26, "yanchor": "top", "nticks": 5}
        span = {"x": 0.3, "len": 0.5} if number == 1 else {"x": 0.86, "len": 0.26}
        figure.layout[f"coloraxis{number}"] = {
            "colorscale": scale.for_plotly(),
            "cmin": scale.low,
            "cmax": scale.high,
            "colorbar": bar | place | span,
        }
    height = 224 + max(210, min(30 * len(one), 620))
    return styled(figure, escape(name, quote=False), height).update_layout(margin_b=124)


def attention_on(seen: Seen, scale: ColorScale) -> "go.Figure":
    """Where words look in one of the pictures, on a scale that both share."""
    return _alone(seen, scale, is_difference=False)


def difference_on(seen: Seen, difference: PatchWeights, scale: ColorScale) -> "go.Figure":
    """B minus A on the picture of B; scale: the one that both share."""
    return _alone(_minus(seen, difference), _points_scale(difference, scale), is_difference=True)


def attention_maps(one: Seen, other: Seen, difference: PatchWeights | None) -> "go.Figure":
    """A, B and, where there is one, their difference on the picture of B, side by side."""
    from plotly.subplots import make_subplots  # noqa: PLC0415 as above

    shared = shares_scale(one.weights, other.weights)
    panels = [(ONE, one, shared), (OTHER, other, shared)]
    if difference is not None:
        points = _points_scale(difference, shared)
        panels.append((DIFFERENCE, _minus(other, difference), points))
    titles = [panel[0] for panel in panels]
    figure = make_subplots(cols=len(panels), subplot_titles=titles, horizontal_spacing=0.04)
    for axes, (name, seen, scale) in enumerate(panels, 1):
        _draw(figure, seen, scale, axes, is_difference=name == DIFFERENCE)
    return styled(figure, "", PICTURES_HEIGHT + 90)


def word_bars(
    tokens: TokenTable, positions: Positions, one: PatchWeights, other: PatchWeights
) -> "go.Figure":
    """Bars of tokens that both have, A above B; the 40 strongest of them, in their order.

    tokens, positions: of B, by which they are called. one, other: shares of attention on them.
    """
    import plotly.graph_objects as go  # noqa: PLC0415 as above

    strongest = np.argsort(-np.maximum(one, other), kind="stable")[:MOST_BARS]
    shown = np.sort(strongest)
    names = token_names(tokens)
    called = [f"{i + 1} {escape(names[i], quote=False)}" for i in positions[shown].tolist()]
    figure = go.Figure(
        [
            go.Bar(
                x=values[shown],
                y=called,
                name=name,
                orientation="h",
                marker={"color": _colors(tokens, positions[shown]), "opacity": opacity},
                text=[_points(value) for value in 100 * (other - one)[shown]],
                textposition="none",
                hovertemplate=f"%{{y}} in {name}: %{{x:.2%}} ({DIFFERENCE}: %{{text}})"
                "<extra></extra>",
            )
            for name, values, opacity in ((ONE, one, FAINT), (OTHER, other, 1))
        ]
    )
    # What is next to nothing in both must not fill the width.
    most = max(float(one.max(initial=0)), float(other.max(initial=0)), LEAST)
    figure.update_xaxes(tickformat=".2~%", range=[0, 1.05 * most], title="share of attention")
    figure.update_yaxes(autorange="reversed", automargin=True)
    # A legend would show one color for all kinds of token.
    figure.update_layout(showlegend=False, bargap=0.25)
    figure = styled(figure, "", 70 + BAR_HEIGHT * len(shown))
    return figure.update_layout(margin_t=8)


def _colors(tokens: TokenTable, positions: Positions) -> list[str]:
    return [KIND_COLORS[tokens.kinds[i]] for i in positions.tolist()]


def _alone(seen: Seen, scale: ColorScale, *, is_difference: bool) -> "go.Figure":
    import plotly.graph_objects as go  # noqa: PLC0415 as above

    figure = go.Figure()
    _draw(figure, seen, scale, 1, is_difference=is_difference)
    figure.update_xaxes(fixedrange=True).update_yaxes(fixedrange=True)
    height, width = seen.picture.shape[:2]
    figure = styled(figure, "", round(min(PICTURES_HEIGHT, COLUMN * height / width)) + BAR_ROOM)
    return figure.update_layout(margin={"l": 0, "r": 0, "t": 4, "b": BAR_ROOM})


def _draw(
    figure: "go.Figure", seen: Seen, scale: ColorScale, axes: int, *, is_difference: bool
) -> None:
    """A picture with its weights on one pair of axes, its color bar below."""
    add_picture(figure, seen.picture, seen.boxes, seen.weights, seen.names, scale=scale, axes=axes)
    left, right = figure.layout[f"xaxis{axes if axes > 1 else ''}"].domain or (0, 1)
    bar = {"orientation": "h", "x": (left + right) / 2, "len": right - left}
    bar |= {"y": 0, "yanchor": "top", "nticks": 5}
    if is_difference:
        bar |= {"tickformat": ".3~g", "title": {"text": f"{DIFFERENCE}, {POINTS}", "side": "top"}}
        said = zip(seen.names, seen.weights.tolist(), strict=True)
        figure.data[-1].text = [f"{name}: {_points(value)}" for name, value in said]
    else:
        bar |= {"title": {"text": "share of attention", "side": "top"}}
    figure.data[-1].marker.colorbar.update(bar)


def _minus(seen: Seen, difference: PatchWeights) -> Seen:
    """The picture with the differences on it, in percentage points."""
    return replace(seen, weights=100 * difference)


def _points_scale(difference: PatchWeights, shared: ColorScale) -> ColorScale:
    return _around_zero(100 * difference, 100 * LEAST * shared.high)


def _points(value: float) -> str:
    """A difference of shares for reading, with its sign."""
    return f"{value:+z.2f} {POINTS}".replace("-", "\N{MINUS SIGN}")

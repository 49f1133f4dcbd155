"""Attention between tokens: matrices by kind of token, and a profile over picture and words."""

from html import escape
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Int

from vl_core.arrays import HeadAttention, Pixels
from vl_core.figures.color_scale import from_zero
from vl_core.figures.picture import add_picture
from vl_core.figures.style import KIND_COLORS, styled
from vl_core.token_attention import Profile, patch_places, token_names
from vl_core.trace import TokenTable

if TYPE_CHECKING:
    import plotly.graph_objects as go

Part = Literal["text", "image", "all"]
Positions = Int[np.ndarray, "token"]
MOST_TICKS = 25  # more labels than that run into each other
CELL = 14  # pixels of a row, while the figure stays between the two heights below
LOWEST, HIGHEST = 220, 640
BAR_PLACE = 0.53  # of the picture's color bar: between the picture and the bars of words
AXES = {"text": "words", "image": "patches as row, column", "all": "all tokens"}


def matrix(
    weights: HeadAttention,
    queries: TokenTable,
    keys: TokenTable,
    parts: tuple[Part, Part],
    title: str,
) -> "go.Figure":
    """Weights of the queries of one kind (rows) on the keys of one kind (columns).

    parts: which queries and which keys. The color scale ends at the largest weight shown.
    """
    import plotly.graph_objects as go  # noqa: PLC0415 takes a while, and only this view waits

    asked, offered = part_of(queries, parts[0]), part_of(keys, parts[1])
    shown = weights[np.ix_(asked, offered)]
    scale = from_zero(shown)
    figure = go.Figure(
        go.Heatmap(
            z=shown,
            x=_full_names(keys, offered),
            y=_full_names(queries, asked),
            colorscale=scale.for_plotly(),
            zmin=scale.low,
            zmax=scale.high,
            colorbar={"tickformat": ".2~%", "thickness": 14, "outlinewidth": 0, "nticks": 5},
            hovertemplate="%{y} looks at %{x}: %{z:.2%} (%{z:.3g})<extra></extra>",
        )
    )
    _label_axis(figure.layout.xaxis, keys, offered, f"looked at (keys): {AXES[parts[1]]}")
    _label_axis(figure.layout.yaxis, queries, asked, f"looking (queries): {AXES[parts[0]]}")
    figure.update_yaxes(autorange="reversed")
    height = 120 + min(max(CELL * len(asked), LOWEST), HIGHEST)
    return styled(figure, escape(title, quote=False), height)


def part_of(tokens: TokenTable, part: Part) -> Positions:
    """Positions of the words, of the patches, or of all tokens but padding."""
    if part == "all":
        return np.flatnonzero(~tokens.is_padding)
    return np.flatnonzero(tokens.is_text if part == "text" else tokens.is_image)


def on_picture_and_words(
    picture: Pixels | None,
    size: tuple[int, int] | None,
    tokens: TokenTable,
    values: Profile,
    title: str,
) -> "go.Figure":
    """What chosen tokens look at (or what looks at them): on the picture, and as bars for words.

    size: width and height that the tokens' boxes are given in. values: one weight for each token.
    """
    from plotly.subplots import make_subplots  # noqa: PLC0415 as above

    figure = make_subplots(cols=2, column_widths=[0.6, 0.4], horizontal_spacing=0.16)
    figure.add_trace(_bars(tokens, values), row=1, col=2)
    figure.update_xaxes(title="weight", tickformat=".2~%", rangemode="tozero", row=1, col=2)
    figure.update_yaxes(autorange="reversed", row=1, col=2)
    if picture is not None and size is not None:
        height, width = picture.shape[:2]
        boxes = tokens.boxes[tokens.is_image] * np.tile([width / size[0], height / size[1]], 2)
        names = _full_names(tokens, np.flatnonzero(tokens.is_image))
        add_picture(figure, picture, boxes, values[tokens.is_image], names, bar_place=BAR_PLACE)
    figure.update_layout(hoverdistance=-1, hovermode="closest", showlegend=False)
    return styled(figure, escape(title, quote=False), 520)


def _bars(tokens: TokenTable, values: Profile) -> "go.Bar":
    import plotly.graph_objects as go  # noqa: PLC0415 as above

    shown = np.flatnonzero((tokens.is_text | tokens.is_special) & ~tokens.is_padding)
    return go.Bar(
        x=values[shown],
        y=_full_names(tokens, shown),
        orientation="h",
        marker={"color": [KIND_COLORS[tokens.kinds[i]] for i in shown]},
        hovertemplate="%{y}: %{x:.2%}<extra></extra>",
    )


def _full_names(tokens: TokenTable, positions: Positions) -> list[str]:
    """Names in which the position stands, as an axis merges what is called alike."""
    names = token_names(tokens)
    return [f"{i + 1} {escape(names[i], quote=False)}" for i in positions]


def _label_axis(
    axis: "go.layout.XAxis", tokens: TokenTable, positions: Positions, title: str
) -> None:
    every = -(-len(positions) // MOST_TICKS)
    shown = positions[::every]
    short = dict(zip(np.flatnonzero(tokens.is_image), patch_places(tokens) or (), strict=False))
    labels = [
        "{}, {}".format(*short[i]) if i in short else escape(tokens.texts[i], quote=False)
        for i in shown
    ]
    axis.update(
        title={"text": title, "standoff": 12},
        automargin=True,
        type="category",
        tickvals=_full_names(tokens, shown),
        ticktext=labels,
        showgrid=False,
        ticklabelstandoff=4,
    )

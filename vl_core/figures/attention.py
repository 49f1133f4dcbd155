"""Attention between tokens: matrices by kind of token, and a profile over picture and words."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Int

from vl_core.arrays import Pixels
from vl_core.attention_matrix import Matrix
from vl_core.figures.color_scale import from_zero
from vl_core.figures.picture import add_picture
from vl_core.figures.style import KIND_COLORS, styled
from vl_core.short_names import short_labels, short_names
from vl_core.token_attention import Profile, has_place, in_view, patch_places, token_names
from vl_core.trace import TokenTable
from vl_core.trace.nouns import image_noun

if TYPE_CHECKING:
    import plotly.graph_objects as go

Part = Literal["text", "image", "all"]
Positions = Int[np.ndarray, "_"]
MOST_TICKS = 25  # more labels than that run into each other
CELL = 14  # pixels of a row, while the figure stays between the two heights below
LOWEST, HIGHEST = 220, 640
BAR_PLACE = 0.53  # of the picture's color bar: between the picture and the bars of words
MOST_BARS = 40  # of words and specials: more are no longer read


def matrix(
    cells: Matrix, queries: TokenTable, keys: TokenTable, parts: tuple[Part, Part], title: str
) -> "go.Figure":
    """Weights of the queries of one kind (rows) on the keys of one kind (columns).

    parts: which queries and which keys they are, as the axes say. The color scale ends at the
    largest weight shown.
    """
    import plotly.graph_objects as go  # noqa: PLC0415 takes a while, and only this view waits

    scale = from_zero(cells.values)
    what = "looks at" if cells.row_bin == 1 else "look at"
    mean = "mean weight " if cells.is_binned else ""
    figure = go.Figure(
        go.Heatmap(
            z=cells.values,
            x=_bin_names(keys, cells.keys, cells.column_bin),
            y=_bin_names(queries, cells.queries, cells.row_bin),
            colorscale=scale.for_plotly(),
            zmin=scale.low,
            zmax=scale.high,
            colorbar={"tickformat": ".2~%", "thickness": 14, "outlinewidth": 0, "nticks": 5},
            hovertemplate=f"%{{y}} {what} %{{x}}: {mean}%{{z:.2%}} (%{{z:.3g}})<extra></extra>",
        )
    )
    across, down = figure.layout.xaxis, figure.layout.yaxis
    answering = f"looked at (keys): {_axis(keys, parts[1])}"
    asking = f"looking (queries): {_axis(queries, parts[0])}"
    _label_axis(across, keys, cells.keys, cells.column_bin, answering)
    _label_axis(down, queries, cells.queries, cells.row_bin, asking)
    figure.update_yaxes(autorange="reversed")
    height = 120 + min(max(CELL * len(cells.values), LOWEST), HIGHEST)
    return styled(figure, escape(title, quote=False), height)


def _axis(tokens: TokenTable, part: Part) -> str:
    """What stands along an axis."""
    if part != "image":
        return {"text": "words", "all": "all tokens"}[part]
    many = image_noun(tokens).many
    return f"{many} as row, column" if patch_places(tokens) else many


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
    view: str = "",
) -> "go.Figure":
    """What chosen tokens look at (or what looks at them): on the picture, and as bars for words.

    size: width and height that the tokens' boxes are given in. values: one weight for each token.
    view: which view's patches lie on the picture, where it has several.
    """
    from plotly.subplots import make_subplots  # noqa: PLC0415 as above

    figure = make_subplots(cols=2, column_widths=[0.6, 0.4], horizontal_spacing=0.16)
    barred = _barred(tokens, values)
    figure.add_trace(_bars(tokens, barred, values), row=1, col=2)
    name = _bars_name(tokens, barred)
    figure.update_xaxes(title=name, tickformat=".2~%", rangemode="tozero", row=1, col=2)
    short = short_names(tokens)
    figure.update_yaxes(
        autorange="reversed",
        tickvals=_full_names(tokens, barred),
        ticktext=[f"{i + 1} {escape(short[i], quote=False)}" for i in barred],
        row=1,
        col=2,
    )
    patches = np.flatnonzero(in_view(tokens, view))
    if picture is not None and size is not None and patches.size:
        height, width = picture.shape[:2]
        boxes = tokens.boxes[patches] * np.tile([width / size[0], height / size[1]], 2)
        names = _full_names(tokens, patches)
        add_picture(figure, picture, boxes, values[patches], names, bar_place=BAR_PLACE)
    figure.update_layout(hoverdistance=-1, hovermode="closest", showlegend=False)
    return styled(figure, escape(title, quote=False), 520)


def _barred(tokens: TokenTable, values: Profile) -> Positions:
    """All tokens without a place, or the strongest of them, in their order."""
    offered = np.flatnonzero(~has_place(tokens) & ~tokens.is_padding)
    return np.sort(offered[np.argsort(-values[offered], kind="stable")[:MOST_BARS]])


def _bars_name(tokens: TokenTable, barred: Positions) -> str:
    """What the bars show."""
    count = int((~has_place(tokens) & ~tokens.is_padding).sum())
    is_all = len(barred) == count
    return "weight" if is_all else f"weight of the {len(barred)} strongest of {count}"


def _bars(tokens: TokenTable, barred: Positions, values: Profile) -> "go.Bar":
    import plotly.graph_objects as go  # noqa: PLC0415 as above

    return go.Bar(
        x=values[barred],
        y=_full_names(tokens, barred),
        orientation="h",
        marker={"color": [KIND_COLORS[tokens.kinds[i]] for i in barred]},
        hovertemplate="%{y}: %{x:.2%}<extra></extra>",
    )


def _bin_names(tokens: TokenTable, positions: Positions, width: int) -> list[str]:
    names = _full_names(tokens, positions)
    if width == 1:
        return names
    pairs = ((names[start], names[start : start + width][-1]) for start in _starts(names, width))
    return [first if first == last else f"{first} to {last}" for first, last in pairs]


def _starts(items: Sequence[object] | Positions, width: int) -> range:
    return range(0, len(items), width)


def _full_names(tokens: TokenTable, positions: Positions) -> list[str]:
    """Names in which the position stands, as an axis merges what is called alike."""
    names = token_names(tokens)
    return [f"{i + 1} {escape(names[i], quote=False)}" for i in positions]


def _label_axis(
    axis: "go.layout.XAxis", tokens: TokenTable, positions: Positions, width: int, title: str
) -> None:
    names, firsts = _bin_names(tokens, positions, width), positions[::width]
    every = -(-len(names) // MOST_TICKS) or 1
    short = short_labels(tokens)
    # Where there is one view, row and column say it; the axis says what has them.
    labels = [escape(short[i].removeprefix("patch "), quote=False) for i in firsts[::every]]
    axis.update(
        title={"text": title, "standoff": 12},
        automargin=True,
        type="category",
        tickvals=names[::every],
        ticktext=labels,
        showgrid=False,
        ticklabelstandoff=4,
    )

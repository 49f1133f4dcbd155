"""Heads: the map of all heads, how attention divides by depth, where the words of a head look."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped
from PIL import Image

from vl_core.arrays import Boxes, HeadMap, LayerCurve, Pixels
from vl_core.figures.style import ATTENTION, DIVERGING, KIND_COLORS, SEQUENTIAL, styled

if TYPE_CHECKING:
    import plotly.graph_objects as go

PatchWeights = Float[np.ndarray, "token"]
MEAN_GAP = 0.6  # heads' widths between the map and the column of layer means
MISSING_COLOR = "#94a3b8"
FAINTEST, STRONGEST = 0.12, 0.85  # how far a patch's color covers the picture


@dataclass(frozen=True)
class ColorScale:
    """Evenly spaced colors (hex) from the value `low` to the value `high`."""

    low: float
    high: float
    colors: tuple[str, ...]

    def for_plotly(self) -> list[tuple[float, str]]:
        """The colors with their places from 0 to 1.

        Not in hex: Streamlit takes #000001 to #000016 for placeholders of its theme's colors.
        """
        places = np.linspace(0, 1, len(self.colors))
        return [
            (float(place), f"rgb{_channels(color)}")
            for place, color in zip(places, self.colors, strict=True)
        ]


def sequential(values: HeadMap) -> ColorScale:
    """From the smallest to the largest value; 0 to 1 if all are missing."""
    found = values[np.isfinite(values)]
    low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 1.0)
    return ColorScale(low, high, hex_colors(SEQUENTIAL))


def symmetric(values: HeadMap, limit: float | None = None) -> ColorScale:
    """As far below zero as above it, so that the middle color is zero; up to `limit` if given."""
    if limit is None:
        found = np.abs(values[np.isfinite(values)])
        limit = float(found.max(initial=0)) or 1.0
    return ColorScale(-limit, limit, hex_colors(DIVERGING))


def hex_colors(scale: str) -> tuple[str, ...]:
    """The colors of a Plotly scale, evenly spaced, as "#rrggbb"."""
    from plotly import colors  # noqa: PLC0415 takes a while, and the first paint does not wait

    found = [color for _, color in colors.get_colorscale(scale)]
    return tuple(c if c.startswith("#") else _hex(colors.unlabel_rgb(c)) for c in found)


def _hex(channels: Sequence[float]) -> str:
    return "#" + "".join(f"{round(channel):02x}" for channel in channels)


def _channels(color: str) -> tuple[int, int, int]:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def head_map(
    values: HeadMap,
    means: LayerCurve,
    scale: ColorScale,
    *,
    name: str,
    unit: str,
    layers: Sequence[int],
) -> "go.Figure":
    """Layers x heads as a heat map, layer means in a column of their own, layer 1 on top.

    `layers` are the layers' numbers on screen. Missing values are crosses, never a color.
    """
    import plotly.graph_objects as go  # noqa: PLC0415

    n_heads = values.shape[1]
    heads = list(range(1, n_heads + 1))
    mean_place = n_heads + 1 + MEAN_GAP
    rows = [str(layer) for layer in layers]
    gap = 2 if max(n_heads, len(rows)) <= 24 else 0
    where = "layer %{y}, head %{x}: %{z:.4g} " + unit + "<extra></extra>"
    figure = go.Figure(
        [
            go.Heatmap(
                z=values,
                x=heads,
                y=rows,
                coloraxis="coloraxis",
                xgap=gap,
                ygap=gap,
                hovertemplate=where,
            ),
            go.Heatmap(
                z=means[:, None],
                x=[mean_place],
                y=rows,
                coloraxis="coloraxis",
                ygap=gap,
                hovertemplate="layer %{y}, mean: %{z:.4g} " + unit + "<extra></extra>",
            ),
            _crosses(values, rows),
        ]
    )
    every = -(-n_heads // 24)  # more labels than that run into each other
    figure.update_xaxes(
        title="head",
        tickvals=[*heads[::every], mean_place],
        ticktext=[*map(str, heads[::every]), "mean"],
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(title="layer", autorange="reversed", type="category", showgrid=False)
    figure.update_layout(
        coloraxis={
            "colorscale": scale.for_plotly(),
            "cmin": scale.low,
            "cmax": scale.high,
            "colorbar": {"title": {"text": unit}, "thickness": 14, "outlinewidth": 0},
        }
    )
    return styled(figure, name, height=110 + max(210, min(30 * len(rows), 620)))


def _crosses(values: HeadMap, rows: Sequence[str]) -> "go.Scatter":
    import plotly.graph_objects as go  # noqa: PLC0415

    missing = np.argwhere(~np.isfinite(values))
    return go.Scatter(
        x=[int(head) + 1 for _, head in missing],
        y=[rows[layer] for layer, _ in missing],
        mode="markers",
        marker={"symbol": "x-thin-open", "size": 9, "color": MISSING_COLOR},
        hovertemplate="layer %{y}, head %{x}: missing<extra></extra>",
        showlegend=False,
    )


def depth_profile(
    shares: Mapping[tuple[str, str], LayerCurve], layers: Sequence[int]
) -> "go.Figure":
    """Where attention goes, layer by layer: one line for each (query kind, key kind).

    Color says who looks (words teal, patches orange); a full line stays within the modality, a
    dashed one crosses over.
    """
    import plotly.graph_objects as go  # noqa: PLC0415

    called = {"text": "words", "image": "image"}
    figure = go.Figure(
        [
            go.Scatter(
                x=list(layers),
                y=share,
                name=f"{called[looking]} at {called[seen]}",
                mode="lines+markers",
                line={
                    "color": KIND_COLORS[looking],
                    "width": 2.5,
                    "dash": "solid" if looking == seen else "dash",
                },
                marker={"size": 6, "symbol": "circle" if looking == seen else "circle-open"},
                hovertemplate="layer %{x}: %{y:.3f}",
            )
            for (looking, seen), share in shares.items()
        ]
    )
    every = -(-len(layers) // 16)  # more labels than that run into each other
    figure.update_xaxes(title="layer", showgrid=False, tickvals=list(layers)[::every])
    figure.update_yaxes(title="share of attention", range=[0, 1.02], zeroline=False)
    figure.update_layout(
        hovermode="x unified", legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"}
    )
    return styled(figure, "", height=320)


def picture_with_weights(picture: Pixels, boxes: Boxes, weights: PatchWeights) -> Pixels:
    """The picture under the colors of its patches: the strongest patch has the brightest color.

    `boxes` are in pixels of this picture. What no patch covers stays gray and uncolored.
    """
    gray = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    base = 0.85 * (0.5 * picture + 0.5 * gray)
    strength = _painted_strength(picture.shape, boxes, weights)
    covered = ~np.isnan(strength)
    share = np.nan_to_num(strength)
    colors = np.array([_channels(color) for color in hex_colors(ATTENTION)])
    stops = np.linspace(0, 1, len(colors))
    color = np.stack([np.interp(share, stops, colors[:, i]) for i in range(3)], axis=2)
    cover = np.where(covered, FAINTEST + (STRONGEST - FAINTEST) * share, 0)[:, :, None]
    return np.asarray((1 - cover) * base + cover * color).round().astype(np.uint8)


def _painted_strength(
    shape: tuple[int, ...], boxes: Boxes, weights: PatchWeights
) -> Float[np.ndarray, "row column"]:
    """Each pixel's weight as a share of the strongest patch's; nan outside all patches."""
    strength = np.full(shape[:2], np.nan)
    highest = float(weights.max(initial=0)) or 1.0
    for (left, top, right, bottom), weight in zip(boxes.round().astype(int), weights, strict=True):
        strength[top:bottom, left:right] = weight / highest
    return strength


def words_on_picture(
    picture: Pixels, boxes: Boxes, weights: PatchWeights, names: Shaped[np.ndarray, "token"]
) -> "go.Figure":
    """Where words look at the picture, with each patch's name and weight under the pointer.

    `boxes` are in pixels of this picture; `weights` are shares of attention.
    """
    import plotly.graph_objects as go  # noqa: PLC0415

    height, width = picture.shape[:2]
    scale = ColorScale(0, float(weights.max(initial=0)) or 1.0, hex_colors(ATTENTION))
    figure = go.Figure(
        go.Scatter(
            x=(boxes[:, 0] + boxes[:, 2]) / 2,
            y=(boxes[:, 1] + boxes[:, 3]) / 2,
            mode="markers",
            # The markers only carry the hover text and the color bar; the colors are in the image.
            marker={
                "size": 18,
                "opacity": 0,
                "symbol": "square",
                "color": weights,
                "colorscale": scale.for_plotly(),
                "cmin": scale.low,
                "cmax": scale.high,
                "colorbar": {"thickness": 10, "tickformat": ".1%", "outlinewidth": 0, "nticks": 4},
            },
            text=[f"{name}: {weight:.2%}" for name, weight in zip(names, weights, strict=True)],
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        )
    )
    figure.add_layout_image(
        source=_data_uri(picture_with_weights(picture, boxes, weights)),
        xref="x",
        yref="y",
        x=0,
        y=0,
        sizex=width,
        sizey=height,
        layer="below",
        sizing="stretch",
    )
    hidden = {"visible": False, "fixedrange": True, "constrain": "domain"}
    figure.update_xaxes(range=[0, width], **hidden)
    figure.update_yaxes(range=[height, 0], scaleanchor="x", **hidden)
    return styled(figure, "", height=230).update_layout(margin={"l": 0, "r": 0, "t": 4, "b": 4})


def _data_uri(pixels: Pixels) -> str:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()

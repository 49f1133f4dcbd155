"""A picture under the weights of its patches."""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from PIL import Image

from vl_core.arrays import Boxes, Pixels
from vl_core.figures.color_scale import channels, from_zero, hex_colors
from vl_core.figures.style import ATTENTION

if TYPE_CHECKING:
    import plotly.graph_objects as go

PatchWeights = Float[np.ndarray, "token"]
FAINTEST, STRONGEST = 0.12, 0.85  # how far a patch's color covers the picture


def add_picture(
    figure: "go.Figure",
    picture: Pixels,
    boxes: Boxes,
    weights: PatchWeights,
    names: Sequence[str],
    *,
    bar_place: float = 1.02,
    most_named: int | None = None,
) -> None:
    """Fill a figure's first pair of axes: patches' names and weights appear under the pointer.

    `boxes` are in pixels of this picture; `weights` are shares of attention. bar_place: where the
    color bar begins, as a share of the figure's width. most_named: how many patches, the strongest,
    can be pointed at; all unless told.
    """
    height, width = picture.shape[:2]
    named = np.sort(np.argsort(-weights, kind="stable")[:most_named])
    named_weights, some_names = weights[named], [names[i] for i in named]
    figure.add_trace(_marks(boxes[named], named_weights, some_names, bar_place))
    figure.add_layout_image(
        source=_data_uri(picture_with_weights(picture, boxes, weights)),
        xref="x",
        yref="y",
        x=0,
        y=0,
        sizex=width,
        sizey=height,
        sizing="stretch",
        layer="below",
    )
    hidden = {"visible": False, "constrain": "domain"}
    figure.update_layout(
        xaxis={"range": [0, width], **hidden},
        yaxis={"range": [height, 0], "scaleanchor": "x", **hidden},
    )


def _marks(
    boxes: Boxes, weights: PatchWeights, names: Sequence[str], bar_place: float
) -> "go.Scatter":
    """Invisible: they carry the hover text and the color bar; the colors are in the picture."""
    import plotly.graph_objects as go  # noqa: PLC0415 takes a while, and the first paint waits not

    scale = from_zero(weights)
    bar = {"tickformat": ".2~%", "thickness": 12, "outlinewidth": 0, "nticks": 4, "x": bar_place}
    return go.Scatter(
        x=(boxes[:, 0] + boxes[:, 2]) / 2,
        y=(boxes[:, 1] + boxes[:, 3]) / 2,
        mode="markers",
        marker={
            "size": 18,
            "symbol": "square",
            "opacity": 0,
            "color": weights,
            "colorscale": scale.for_plotly(),
            "cmin": scale.low,
            "cmax": scale.high,
            "colorbar": bar,
        },
        text=[f"{name}: {weight:.2%}" for name, weight in zip(names, weights, strict=True)],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )


def picture_with_weights(picture: Pixels, boxes: Boxes, weights: PatchWeights) -> Pixels:
    """The picture under the colors of its patches: the strongest patch has the brightest color.

    `boxes` are in pixels of this picture. What no patch covers stays gray and uncolored.
    """
    gray = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    base = 0.85 * (0.5 * picture + 0.5 * gray)
    strength = _painted_strength(picture.shape, boxes, weights)
    covered = ~np.isnan(strength)
    share = np.nan_to_num(strength)
    colors = np.array([channels(color) for color in hex_colors(ATTENTION)])
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


def _data_uri(pixels: Pixels) -> str:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()

"""A picture under the weights of its patches."""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from PIL import Image

from vl_core.arrays import Boxes, Pixels
from vl_core.figures.color_scale import ColorScale, channels, from_zero

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
    scale: ColorScale | None = None,
    axes: int = 1,
) -> None:
    """Fill a pair of a figure's axes: patches' names and weights appear under the pointer.

    `boxes` are in pixels of this picture; `weights` are shares of attention. bar_place: where the
    color bar begins, as a share of the figure's width. most_named: how many patches, the strongest,
    can be pointed at; all unless told. scale: from zero to the strongest patch unless given. axes:
    which pair of the figure's axes, the first unless told.
    """
    height, width = picture.shape[:2]
    scale = scale or from_zero(weights)
    x, y = (f"{axis}{axes if axes > 1 else ''}" for axis in "xy")
    named = np.sort(np.argsort(-weights, kind="stable")[:most_named])
    marks = _marks(boxes[named], weights[named], [names[i] for i in named], scale)
    marks.update(xaxis=x, yaxis=y, marker_colorbar_x=bar_place)
    figure.add_trace(marks)
    figure.add_layout_image(
        source=_data_uri(picture_with_weights(picture, boxes, weights, scale)),
        xref=x,
        yref=y,
        x=0,
        y=0,
        sizex=width,
        sizey=height,
        sizing="stretch",
        layer="below",
    )
    hidden = {"visible": False, "constrain": "domain"}
    figure.layout[x.replace("x", "xaxis")].update(range=[0, width], **hidden)
    figure.layout[y.replace("y", "yaxis")].update(range=[height, 0], scaleanchor=x, **hidden)


def _marks(
    boxes: Boxes, weights: PatchWeights, names: Sequence[str], scale: ColorScale
) -> "go.Scatter":
    """Invisible: they carry the hover text and the color bar; the colors are in the picture."""
    import plotly.graph_objects as go  # noqa: PLC0415 takes a while, and the first paint waits not

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
            "colorbar": {"tickformat": ".2~%", "thickness": 12, "outlinewidth": 0, "nticks": 4},
        },
        text=[f"{name}: {weight:.2%}" for name, weight in zip(names, weights, strict=True)],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )


def picture_with_weights(
    picture: Pixels, boxes: Boxes, weights: PatchWeights, scale: ColorScale | None = None
) -> Pixels:
    """The picture under the colors of its patches, the denser the farther a weight is from zero.

    `boxes` are in pixels of this picture. scale: from zero to the strongest patch unless given.
    What no patch covers stays gray and uncolored.
    """
    scale = scale or from_zero(weights)
    gray = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    base = 0.85 * (0.5 * picture + 0.5 * gray)
    painted = _painted(picture.shape, boxes, weights)
    covered = ~np.isnan(painted)
    value = np.clip(np.nan_to_num(painted), scale.low, scale.high)
    colors = np.array([channels(color) for color in scale.colors])
    stops = np.linspace(scale.low, scale.high, len(colors))
    color = np.stack([np.interp(value, stops, colors[:, i]) for i in range(3)], axis=2)
    strength = np.abs(value) / max(abs(scale.low), abs(scale.high))
    cover = np.where(covered, FAINTEST + (STRONGEST - FAINTEST) * strength, 0)[:, :, None]
    return np.asarray((1 - cover) * base + cover * color).round().astype(np.uint8)


def _painted(
    shape: tuple[int, ...], boxes: Boxes, weights: PatchWeights
) -> Float[np.ndarray, "row column"]:
    """Each pixel's weight; nan outside all patches."""
    painted = np.full(shape[:2], np.nan)
    for (left, top, right, bottom), weight in zip(boxes.round().astype(int), weights, strict=True):
        painted[top:bottom, left:right] = weight
    return painted


def _data_uri(pixels: Pixels) -> str:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()

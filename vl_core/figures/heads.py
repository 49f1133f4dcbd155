"""Heads: the map of all heads, how attention divides by depth, where the words of a head look."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped

from vl_core.arrays import Boxes, HeadMap, LayerCurve, Pixels
from vl_core.figures.color_scale import ColorScale
from vl_core.figures.picture import PatchWeights, add_picture
from vl_core.figures.style import KIND_COLORS, REGION_COLORS, styled

if TYPE_CHECKING:
    import plotly.graph_objects as go

MEAN_GAP = 0.6  # heads' widths between the map and the column of layer means
CALLED = {"text": "words", "image": "image"}  # as the lines of a profile call them
MISSING_COLOR = "#94a3b8"
MOST_NAMED = 400  # patches: smaller ones cannot be pointed at in a small picture


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

    figure = go.Figure(
        [
            go.Scatter(
                x=list(layers),
                y=share,
                name=f"{CALLED[looking]} at {CALLED[seen]}",
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
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        showlegend=True,  # also of a single line
    )
    return styled(figure, "", height=320)


def words_on_picture(
    picture: Pixels,
    boxes: Boxes,
    weights: PatchWeights,
    names: Shaped[np.ndarray, "token"],
    places: Float[np.ndarray, "place 4"] | None = None,
) -> "go.Figure":
    """Where words look at the picture, small; see `add_picture` for the arguments.

    places: boxes of what the example says is there, drawn as outlines.
    """
    import plotly.graph_objects as go  # noqa: PLC0415

    figure = go.Figure()
    add_picture(figure, picture, boxes, weights, names.tolist(), most_named=MOST_NAMED)
    for x0, y0, x1, y1 in [] if places is None else places.tolist():
        figure.add_shape(
            type="rect", x0=x0, y0=y0, x1=x1, y1=y1, line={"color": REGION_COLORS[0], "width": 2}
        )
    figure.update_xaxes(fixedrange=True).update_yaxes(fixedrange=True)
    return styled(figure, "", height=230).update_layout(margin={"l": 0, "r": 0, "t": 4, "b": 4})

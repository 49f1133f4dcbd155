"""Figures of hidden states: where tokens lie after each layer, and how far the modalities part."""

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from vl_core.arrays import Points, StateCurve
from vl_core.figures.style import KIND_COLORS, KIND_MARKS, styled
from vl_core.token_attention import has_place
from vl_core.trace import TokenTable
from vl_core.trace.nouns import PATCH, QUERY_TOKEN, Noun

if TYPE_CHECKING:
    import plotly.graph_objects as go

NOUNS = {
    "text": Noun("word", "words"),
    "answer": Noun("word of the answer", "words of the answer"),
    "image": PATCH,
    "placeless": Noun("image token without a place", "image tokens without a place"),
    "special": Noun("special token", "special tokens"),
}
LABELLED = 80  # more words than this are named only on hovering
CURVE_COLOR = "#3b82f6"  # neither modality's; readable on light and dark
MARK_SIZES = {"text": 10, "answer": 11, "image": 9, "placeless": 9, "special": 10}
IMAGE_KINDS = ("image", "placeless")


def state_names(count: int) -> tuple[str, ...]:
    """What hidden states are called on screen: "embeddings", "after layer 1", ..."""
    return ("embeddings", *(f"after layer {layer}" for layer in range(1, count)))[:count]


def mark_kinds(tokens: TokenTable) -> tuple[str, ...]:
    """How each token is marked: by its kind, with marks of their own for two kinds more.

    "answer": tokens that the model generated. "placeless": tokens of the image that stand for no
    place in it, such as queries that a model has learned.
    """
    kinds = np.array(tokens.kinds, "<U9")
    kinds[tokens.is_image & ~has_place(tokens)] = "placeless"
    kinds[tokens.is_generated] = "answer"
    return tuple(kinds.tolist())


def kind_nouns(of_image: Noun = PATCH) -> dict[str, Noun]:
    """What the marks of each kind are called, by what the tokens of the picture are."""
    has_no_place = of_image if of_image == QUERY_TOKEN else NOUNS["placeless"]
    return NOUNS | {"image": of_image, "placeless": has_no_place}


def scatter(
    points: Points,
    texts: tuple[str, ...],
    kinds: tuple[str, ...],
    title: str,
    *,
    shares_scale: bool = True,
    of_image: Noun = PATCH,
) -> "go.Figure":
    """Tokens in two dimensions with a slider through the layers; color and mark tell the kind.

    points: state x token x 2. texts and kinds (as `mark_kinds` has them): one for each token.
    shares_scale: the states have one unit; otherwise each state fills the frame by itself.
    of_image: what the tokens of the picture are called.
    """
    import plotly.graph_objects as go  # noqa: PLC0415 only who draws pays for the import

    names, nouns = state_names(len(points)), kind_nouns(of_image)
    boxes = _frames_of(points, shares_scale=shares_scale)
    frames = [
        go.Frame(
            name=name,
            data=_places(state, kinds, nouns),
            layout={"xaxis.range": x, "yaxis.range": y},
        )
        for name, state, (x, y) in zip(names, points, boxes, strict=True)
    ]
    figure = go.Figure(data=_marks(points[0], texts, kinds, nouns), frames=frames)
    bare = {"showticklabels": False, "showgrid": False, "zeroline": False, "title": None}
    figure.update_xaxes(**bare, range=boxes[0][0])
    figure.update_yaxes(**bare, range=boxes[0][1], scaleanchor="x")
    styled(figure, html.escape(title), height=640)
    return figure.update_layout(
        sliders=[_slider(names)],
        updatemenus=[_play_button()],
        legend={"orientation": "h", "y": 1.04, "x": 0},
        margin={"b": 110},
    )


def _places(
    points: np.ndarray, kinds: tuple[str, ...], nouns: Mapping[str, Noun]
) -> "list[go.Scatter]":
    """Where the marks of each kind lie; all else about them stays as it is."""
    import plotly.graph_objects as go  # noqa: PLC0415

    chosen = [(kind, _of_kind(kinds, kind)) for kind in NOUNS if kind in kinds]
    return [
        go.Scatter(name=nouns[kind].many, x=points[some, 0], y=points[some, 1])
        for kind, some in chosen
    ]


def _of_kind(kinds: tuple[str, ...], wanted: str) -> list[int]:
    return [i for i, kind in enumerate(kinds) if kind == wanted]


def _marks(
    points: np.ndarray, texts: tuple[str, ...], kinds: tuple[str, ...], nouns: Mapping[str, Noun]
) -> "list[go.Scatter]":
    import plotly.graph_objects as go  # noqa: PLC0415

    marks = []
    for kind in (kind for kind in NOUNS if kind in kinds):
        chosen = _of_kind(kinds, kind)
        is_named = kind not in IMAGE_KINDS and len(chosen) <= LABELLED
        marks.append(
            go.Scatter(
                x=points[chosen, 0],
                y=points[chosen, 1],
                name=nouns[kind].many,
                # Plotly reads a few HTML tags in its texts; a question must not write any.
                text=[html.escape(texts[i]) for i in chosen],
                mode="markers+text" if is_named else "markers",
                textposition="middle right",
                hovertemplate="%{text}<extra>" + nouns[kind].many + "</extra>",
                marker={
                    "color": KIND_COLORS[kind],
                    "symbol": KIND_MARKS[kind],
                    "size": MARK_SIZES[kind],
                    "opacity": 0.75 if kind in IMAGE_KINDS else 1,
                },
            )
        )
    return marks


def _frames_of(points: Points, *, shares_scale: bool) -> list[tuple[list[float], list[float]]]:
    """The ranges of x and y for each state, with room for labels at the right."""
    groups = [points] * len(points) if shares_scale else list(points)
    ranges = []
    for group in groups:
        low, high = group.reshape(-1, 2).min(axis=0), group.reshape(-1, 2).max(axis=0)
        room = np.maximum(high - low, 1e-9) * 0.07
        x, y = np.stack([low - room, high + room], axis=1).tolist()
        ranges.append((x, y))
    return ranges


def _slider(names: tuple[str, ...]) -> dict[str, object]:
    return {
        "currentvalue": {"prefix": ""},
        "pad": {"t": 24},
        "x": 0.12,
        "len": 0.84,
        "steps": [
            {"label": name, "method": "animate", "args": [[name], _glide("immediate")]}
            for name in names
        ],
    }


def _play_button() -> dict[str, object]:
    return {
        "type": "buttons",
        "showactive": False,
        "x": 0,
        "y": 0,
        "xanchor": "left",
        "pad": {"t": 44},
        "buttons": [{"label": "Play", "method": "animate", "args": [None, _glide("immediate")]}],
    }


def _glide(mode: str) -> dict[str, object]:
    return {
        "mode": mode,
        "frame": {"duration": 900, "redraw": False},
        "transition": {"duration": 700, "easing": "cubic-in-out"},
        "fromcurrent": True,
    }


def modality_gap(
    silhouette: StateCurve, mixing: StateCurve, distance: StateCurve, state: int
) -> "go.Figure":
    """How far words and patches lie apart after each layer, three measures side by side.

    silhouette: -1..1, 0 is no separation. mixing: share of neighbours of the other kind against
    chance, 1 is mixed as by chance. distance: between the centroids, in units of the spread.
    state: the one that is marked. Missing values leave a gap.
    """
    from plotly.subplots import make_subplots  # noqa: PLC0415

    titles = ("Silhouette", "Neighbour mixing", "Distance / spread")
    figure = make_subplots(1, 3, subplot_titles=titles, horizontal_spacing=0.07)
    curves = ((silhouette, 0.0), (mixing, 1.0), (distance, None))
    for column, (curve, landmark) in enumerate(curves, start=1):
        _add_curve(figure, column, curve, state)
        if landmark is not None:
            dots = {"dash": "dot", "width": 1, "color": KIND_COLORS["special"]}
            figure.add_hline(y=landmark, line=dots, col=column)
    ticks = _ticks(len(silhouette))
    names = ["emb." if tick == 0 else str(tick) for tick in ticks]
    figure.update_xaxes(tickvals=ticks, ticktext=names, tickangle=0, showgrid=False)
    figure.update_annotations(font_size=13)
    figure.update_yaxes(rangemode="tozero", zeroline=False)
    styled(figure, "", height=260)
    return figure.update_layout(showlegend=False, margin={"t": 32, "l": 36, "r": 8, "b": 32})


def _add_curve(figure: "go.Figure", column: int, curve: StateCurve, state: int) -> None:
    import plotly.graph_objects as go  # noqa: PLC0415

    sizes = [12 if index == state else 6 for index in range(len(curve))]
    figure.add_trace(
        go.Scatter(
            x=list(range(len(curve))),
            y=curve,
            mode="lines+markers",
            line={"color": CURVE_COLOR, "width": 2},
            marker={"size": sizes, "color": CURVE_COLOR, "opacity": 1},
            cliponaxis=False,
            text=state_names(len(curve)),
            hovertemplate="%{text}: %{y:.2f}<extra></extra>",
        ),
        row=1,
        col=column,
    )
    line = {"width": 1, "color": KIND_COLORS["special"]}
    figure.add_vline(x=state, line=line, opacity=0.6, col=column)


def _ticks(count: int) -> list[int]:
    step = next((step for step in (1, 2, 3, 4, 6, 8, 10) if count / step <= 4), 12)
    return list(range(0, count, step))

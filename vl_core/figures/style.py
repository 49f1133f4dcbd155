"""Colors and layout of every figure, in one place.

Colors keep one meaning everywhere: teal for words, purple for those of the model's own answer,
orange for the image.
"""

from typing import TYPE_CHECKING

from vl_core.trace.picture_views import TILES, WHOLE

if TYPE_CHECKING:
    import plotly.graph_objects as go

KIND_COLORS = {
    "text": "#0d9488",
    "answer": "#9333ea",
    "image": "#ea580c",
    "placeless": "#ea580c",
    "special": "#64748b",
}
# How much of the image's color a view of the picture has, by the view's name; the rest is the color
# of text. A view without a name has all of it.
VIEW_TINTS = {WHOLE: 1.0, TILES: 0.55}
KIND_MARKS = {
    "text": "circle",
    "answer": "triangle-up",
    "image": "square",
    "placeless": "square-open",
    "special": "diamond",
}
SEQUENTIAL = "Viridis"  # statistics of heads
ATTENTION = "Magma"  # attention weights
# Places in a picture: told apart from each other, light enough for dark letters.
REGION_COLORS = (
    *("#4fc3f7", "#ffb74d", "#81c784", "#f06292", "#ffd54f", "#b39ddb"),
    *("#4dd0e1", "#ff8a65", "#dce775", "#e57373"),
)
DIVERGING = "RdBu_r"  # z-scores: blue below the mean, red above


def styled(figure: "go.Figure", title: str, height: int = 420) -> "go.Figure":
    """The figure with our title, margins and a transparent background that suits light and dark."""
    return figure.update_layout(
        title={"text": title, "x": 0, "xanchor": "left"},
        margin={"l": 48, "r": 16, "t": 48, "b": 44},
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "Source Sans, sans-serif"},
    )

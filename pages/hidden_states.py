"""Hidden states: where words and patches lie as they pass through the layers."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared import frame, layout, selection, session
from pages.shared.components import blob_store
from pages.shared.components.state_map import StatePicture, encoded, state_map
from pages.shared.projections import FITS, METHODS, Projected, projected
from pages.shared.shown_states import ShownStates
from vl_core.figures import states as figures
from vl_core.neighbours import modality_gap
from vl_core.trace import TracedExample

if TYPE_CHECKING:
    import plotly.graph_objects as go

frame.guard()

ALL_PAIRS = 1000  # with more tokens, neighbours are listed for the selected one alone
HOW = """
**The map.** Each mark is the hidden state of one token, brought from its full width down to two
dimensions: the embeddings first, then what the token has become after each layer. Teal circles
are words, framed pieces of the picture are patches, slate diamonds are tokens that the model adds.
Each layer is centred; the axes have no unit and no meaning of their own.

**Nearest words and patches** come from the full space, not from the map: by the cosine of the
angle between two hidden states, from which the mean of that layer's tokens is taken away first
(1: same direction, 0: unrelated, −1: opposite). The table has the nearest three, each with its
cosine in parentheses. Patches are called by row and column: "3, 5" lies in the third row from the
top, fifth from the left.

**How far words and patches lie apart**, in the full space:
- *Silhouette*: (distance to the other modality − distance within the own one) / the larger of the
  two, averaged over words and patches. 1: two tight clouds far apart, 0: no separation.
- *Neighbour mixing*: how often a token's nearest neighbour is of the other modality, divided by how
  often chance would have it. 0: never, 1: mixed as by chance.
- *Distance / spread*: from the centre of the words to the centre of the patches, in units of the
  tokens' root mean square distance from their own centre.
"""
CAUTION = (
    "**Two dimensions leave most of the space out.** Trust the listed cosines and the curves, "
    "which use all of it, before anything the map seems to show. That two tokens lie close does "
    "not say that the model treats them alike."
)


def choice(field: str, label: str, options: dict[str, str], now: str) -> None:
    """A switch that changes one field of the selection."""
    key = f"chosen_{field}"
    st.segmented_control(
        label,
        list(options),
        format_func=options.__getitem__,
        default=now,
        required=True,
        key=key,
        on_change=lambda: selection.update(**{field: st.session_state[key]}),
    )


def blob(shown: ShownStates, made: Projected, example: TracedExample) -> bytes:
    """All that the map is drawn from."""
    count = len(shown.positions)
    asked = np.arange(count if count <= ALL_PAIRS else 0)
    marks, cosines = session.remembered(
        (shown.stream.name, "nearest"), lambda: shown.nearest(asked)
    )
    return encoded(
        StatePicture(
            title=f"Hidden states, {made.name}",
            points=made.points,
            tokens=shown.stream.tokens,
            positions=shown.positions,
            state_names=shown.names,
            captions=made.captions,
            shares_scale=made.shares_scale,
            neighbours=marks,
            similarities=cosines,
            picture=example.picture,
            size=example.original_size,
        )
    )


def exported(shown: ShownStates, made: Projected, state: int) -> "go.Figure":
    """The map as a figure that stands by itself, at the state on show."""
    figure = figures.scatter(
        made.points,
        shown.texts,
        shown.kinds,
        f"Hidden states, {made.name}",
        shares_scale=made.shares_scale,
    )
    frame = figure.frames[state]
    for mark, there in zip(figure.data, frame.data, strict=True):
        mark.update(x=there.x, y=there.y)
    return figure.update_layout(frame.layout).update_layout(sliders=[{"active": state}])


layout.heading(
    "Where do words and patches lie, layer by layer?",
    "Every mark is a word or a patch, placed by its hidden state. Play moves them from the "
    "embeddings through all layers; click a mark to follow it.",
)
chosen = selection.current()
trace = session.trace()
stream = trace.streams[trace.stacks[chosen.stack].query_stream]
shown = ShownStates(stream)
if not shown.names:
    st.info("This trace keeps no hidden states.", icon=":material/info:")
    st.stop()

with st.container(horizontal=True, gap="small"):
    choice("projection", "Projection", METHODS, chosen.projection)
    choice("fit", "Fitted to", FITS, chosen.fit)
made = projected(shown, chosen.projection, chosen.fit)
st.caption(made.sentence)

name = f"states/{stream.name}/{made.method}/{made.fit}"
state_map(
    f"{session.trace_id()}/{name}",
    chosen.tokens,
    chosen.state,
    lambda tokens, state: selection.update(tokens=tokens, state=state),
)
blob_store.deliver(session.trace_id(), {name: lambda: blob(shown, made, trace.example)})

st.subheader("How far apart are words and patches?", anchor=False)
gap = session.remembered(
    (stream.name, "gap"), lambda: modality_gap(shown.states, shown.is_text, shown.is_image)
)
gap_figure = figures.modality_gap(gap.silhouette, gap.mixing, gap.distance, chosen.state)
st.plotly_chart(gap_figure, key="modality_gap", config={"displayModeBar": False})
selected = np.flatnonzero(np.isin(shown.positions, chosen.tokens[-1:])).tolist()
if selected:
    name = layout.escaped(shown.name(selected[0]))
    st.subheader(f"What lies nearest to {name}?", anchor=False)
    table = session.remembered(
        (stream.name, "nearest", selected[0]), lambda: shown.nearest_table(selected[0])
    )
    # Not as a dataframe, whose cells do not wrap: on a small screen they would be cut off.
    st.table(
        {
            layout.escaped(name): [layout.escaped(cell) for cell in cells]
            for name, cells in table.items()
        },
        hide_index=True,
    )

layout.how_to_read(HOW, CAUTION)
with_states = st.toggle("Put the full hidden states into the NPZ file")
layout.downloads(
    "hidden_states",
    csv=lambda: shown.points_csv(made.points),
    npz=lambda: shown.arrays(made.points, gap, with_states=with_states),
    figure=lambda: exported(shown, made, chosen.state),
)

"""Hidden states: where words and patches lie as they pass through the layers."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared import frame, layout, selection, session
from pages.shared.components import blob_store
from pages.shared.components.state_map import Nearest, StatePicture, encoded, state_map
from pages.shared.projections import FITS, METHODS, Projected, projected
from pages.shared.selection import Selection
from pages.shared.shown_states import ShownStates
from pages.shared.stream_choice import chosen_stream, select
from vl_core.figures import states as figures
from vl_core.neighbours import MIXING_TOKENS, ModalityGap, modality_gap
from vl_core.trace import Stream, Trace, TracedExample
from vl_core.trace.nouns import PATCH, Noun, common_noun, image_noun

if TYPE_CHECKING:
    import plotly.graph_objects as go

frame.guard()

HOW = """
**The map.** Each mark is the hidden state of one token, brought from its full width down to two
dimensions: the embeddings first, then what the token has become after each layer. Teal circles
are words, slate diamonds are tokens that the model adds.{further}
Each layer is centred; the axes have no unit and no meaning of their own.

**Nearest words and patches** come from the full space, not from the map: by the cosine of the
angle between two hidden states, from which the mean of that layer's tokens is taken away first
(1: same direction, 0: unrelated, −1: opposite). The table has the nearest three, each with its
cosine in parentheses.{places}

**How far words and patches lie apart**, in the full space:
- *Silhouette*: (distance to the other modality − distance within the own one) / the larger of the
  two, averaged over words and patches. 1: two tight clouds far apart, 0: no separation.
- *Neighbour mixing*: how often a token's nearest neighbour is of the other modality, divided by how
  often chance would have it. 0: never, 1: mixed as by chance. Of more than {mixing} tokens, so
  many evenly spread ones are asked.
- *Distance / spread*: from the centre of the words to the centre of the patches, in units of the
  tokens' root mean square distance from their own centre.
"""
PLACES = """ Patches are called by row and column: "3, 5" lies in the third row from the top, fifth
from the left."""
MOST_ROWS, SCROLLED = 16, 560  # rows of the table of neighbours; pixels in which more scroll
TOO_LARGE = (
    "They are too many for one file made by this server. In a notebook, trace.streams has them: "
    "vl_core.load(model).trace(example)."
)
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


def how_to_read(kinds: tuple[str, ...], noun: Noun) -> str:
    """What the map and the curves mean, for marks of these kinds."""
    places = PLACES if noun is PATCH else ""
    further = further_marks(kinds)
    return noun.named(HOW.format(further=further, places=places, mixing=MIXING_TOKENS))


def further_marks(kinds: tuple[str, ...]) -> str:
    """What is said of marks that only some streams have."""
    said = {
        "image": " Framed pieces of the picture (or orange squares, where there are many) are "
        "patches.",
        "answer": " Purple triangles are words of the model's own answer.",
        "placeless": " Hollow squares are tokens of the image that stand for no place in it.",
    }
    return "".join(sentence for kind, sentence in said.items() if kind in kinds)


def blob(shown: ShownStates, made: Projected, example: TracedExample) -> bytes:
    """All that the map is drawn from."""
    asked = np.arange(len(shown.positions) if shown.lists_all_neighbours else 0)
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
        of_image=image_noun(shown.stream.tokens),
    )
    frame = figure.frames[state]
    for mark, there in zip(figure.data, frame.data, strict=True):
        mark.update(x=there.x, y=there.y)
    return figure.update_layout(frame.layout).update_layout(sliders=[{"active": state}])


def nearest(shown: ShownStates, tokens: tuple[int, ...]) -> Nearest | None:
    """What lies nearest to the token that was chosen last, if there is one on the map."""
    chosen = np.flatnonzero(np.isin(shown.positions, tokens[-1:])).tolist()
    if not chosen:
        return None
    return session.remembered(
        (shown.stream.name, "nearest", chosen[0]), lambda: shown.nearest_to(chosen[0])
    )


def draw_gap(shown: ShownStates, state: int) -> ModalityGap:
    """How far words and patches lie apart after each layer."""
    many = image_noun(shown.stream.tokens).many
    st.subheader(f"How far apart are words and {many}?", anchor=False)
    with st.spinner("Measuring the distances in the full space"):
        gap = session.remembered(
            (shown.stream.name, "gap"),
            lambda: modality_gap(shown.states, shown.is_text, shown.is_image),
        )
    if np.isfinite(gap.silhouette).any():
        figure = figures.modality_gap(gap.silhouette, gap.mixing, gap.distance, state)
        st.plotly_chart(figure, key="modality_gap", config={"displayModeBar": False})
    else:
        st.caption(
            f"This stream has not both words and {many} that differ, so there is no distance."
        )
    return gap


def draw_neighbours(shown: ShownStates, near: Nearest) -> None:
    """The nearest words and patches of a mark, after each layer."""
    st.subheader(f"What lies nearest to {layout.escaped(shown.name(near.mark))}?", anchor=False)
    # Not as a dataframe, whose cells do not wrap: on a small screen they would be cut off.
    with st.container(height=SCROLLED if len(shown.names) > MOST_ROWS else "content", border=False):
        st.table(
            {
                layout.escaped(name): [layout.escaped(cell) for cell in cells]
                for name, cells in shown.nearest_table(near).items()
            },
            hide_index=True,
        )


def take_away(shown: ShownStates, made: Projected, gap: ModalityGap, state: int) -> None:
    """The points and what was measured; the hidden states themselves if they fit a file."""
    with_states = st.toggle(
        "Put the full hidden states into the NPZ file",
        disabled=not shown.can_be_taken_whole,
        help=None if shown.can_be_taken_whole else TOO_LARGE,
    )
    layout.downloads(
        "hidden_states",
        csv=lambda: shown.points_csv(made.points),
        npz=lambda: shown.arrays(made.points, gap, with_states=with_states),
        figure=lambda: exported(shown, made, state),
    )


def draw(trace: Trace, stream: Stream, chosen: Selection) -> None:
    """The map, the distances, the neighbours, and all of it to take away."""
    shown = ShownStates(stream)
    is_own = trace.stacks[chosen.stack].query_stream == stream.name
    tokens, state = (chosen.tokens, chosen.state) if is_own else ((), 0)
    with st.container(horizontal=True, gap="small"):
        choice("projection", "Projection", METHODS, chosen.projection)
        choice("fit", "Fitted to", FITS, chosen.fit)
    made = projected(shown, chosen.projection, chosen.fit)
    st.caption(made.sentence)
    near = nearest(shown, tokens)
    name = f"states/{stream.name}/{made.method}/{made.fit}"
    state_map(
        f"{session.trace_id()}/{name}",
        tokens,
        state,
        lambda tokens, state: select(trace, stream, tokens, state),
        None if shown.lists_all_neighbours else near,
    )
    blob_store.deliver(session.trace_id(), {name: lambda: blob(shown, made, trace.example)})
    gap = draw_gap(shown, state)
    if near is not None:
        draw_neighbours(shown, near)
    layout.how_to_read(how_to_read(shown.kinds, image_noun(stream.tokens)), CAUTION)
    take_away(shown, made, gap, state)


trace = session.trace()
noun = common_noun(*(stream.tokens for stream in trace.streams.values()))
layout.heading(
    f"Where do words and {noun.many} lie, layer by layer?",
    "Every mark is a token, placed by its hidden state. Play moves them from the embeddings "
    "through all layers; click a mark to follow it.",
)
chosen = selection.current()
stream = chosen_stream(trace, chosen)
if stream is not None:
    draw(trace, stream, chosen)

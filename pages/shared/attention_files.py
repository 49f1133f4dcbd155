"""What is asked on the attention page, in words, and what can be taken away of the answer."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared import session
from pages.shared.components.linked_view import shown_tokens
from pages.shared.layout import downloads
from pages.shared.selection import Selection
from vl_core import structure
from vl_core.attention_tables import arrays, as_csv, extent
from vl_core.counted import counted
from vl_core.figures import attention as figures
from vl_core.short_names import short_names
from vl_core.token_attention import Position, Profile, asking, profile, view_on_show
from vl_core.trace import Stack, TokenTable, TracedExample

if TYPE_CHECKING:
    import plotly.graph_objects as go


def asked(stack: Stack, chosen: Selection) -> str:
    """The question that the linked view answers, in a few words."""
    is_row = chosen.direction == "looks_at"
    tokens = shown_tokens(stack, chosen)
    called = short_names(stack.queries if is_row else stack.keys)
    names = [called[token] for token in tokens[:3]]
    who = ", ".join(names) + (" …" if len(tokens) > 3 else "")
    if not is_row:
        return f"What looks at {who}"
    if asking_positions(stack, chosen) == tokens:
        return f"What {who} looks at"
    is_all = stack.queries.is_generated[list(tokens)].all()
    where = "at the position before each, which predicts it"
    return f"What {who} looks at ({where if is_all else f'words of the answer {where}'})"


def asking_positions(stack: Stack, chosen: Selection) -> tuple[int, ...]:
    """The rows or columns that stand for the tokens on show."""
    tokens = shown_tokens(stack, chosen)
    if chosen.direction == "looks_at" and offers_position(stack):
        return asking(stack.queries, tokens, chosen.position)
    return tokens


def offers_position(stack: Stack) -> bool:
    """Whether words of the answer have a position that predicts and one that reads them."""
    return session.remembered(
        ("can predict", stack.name), lambda: structure.can_predict(session.trace(), stack)
    )


def matrix_position(stack: Stack, chosen: Selection) -> Position | None:
    """At which position a word of the answer looks in a matrix; None where words have only one.

    As in the view above it: who looks at a token is told of every position that reads.
    """
    if not offers_position(stack):
        return None
    return chosen.position if chosen.direction == "looks_at" else "reads"


def place(stack: Stack, layer: int | None, head: int | None) -> str:
    """Layer and head as they are called on screen."""
    in_layer = "mean of all layers" if layer is None else f"layer {stack.layers[layer] + 1}"
    return f"{in_layer}, {'mean of all heads' if head is None else f'head {head + 1}'}"


def exported(
    example: TracedExample, tokens: TokenTable, values: Profile, title: str, wanted_view: str
) -> "go.Figure":
    """The linked view's map as a figure that stands by itself."""
    picture = None if example.picture is None else np.asarray(example.picture.convert("RGB"))
    view = view_on_show(tokens, wanted_view)
    title = f"{title}, {view}" if view else title
    return figures.on_picture_and_words(picture, example.original_size, tokens, values, title, view)


def take_away(example: TracedExample, stack: Stack, chosen: Selection, layer: int | None) -> None:
    """The numbers on show and the weights around them, as far as they fit a file."""
    answering = stack.keys if chosen.direction == "looks_at" else stack.queries
    where = place(stack, layer, chosen.head)
    title = f"{asked(stack, chosen)}: {where}"
    positions = asking_positions(stack, chosen)

    def values() -> Profile:
        return profile(stack, layer, chosen.head, positions, chosen.direction)

    downloads(
        "attention",
        csv=lambda: as_csv(answering, values()),
        npz=lambda: arrays(stack, layer, chosen.head, values()),
        figure=lambda: exported(example, answering, values(), title, chosen.picture_view),
    )
    held = extent(stack)
    if held != "profile" and offers_position(stack):
        st.caption(
            "In the NPZ file each row of *weights* is the position that reads its token; *profile* "
            "and the other files are what is on show."
        )
    if held != "heads":
        what = f"the weights of {where}" if held == "head" else "the values on show"
        size = 4 * np.prod(stack.weights.shape[1:], dtype=float) / 2**20
        st.caption(
            f"The NPZ file holds {what} alone: {counted(stack.n_heads, 'head')} of the layer would "
            f"take {size:,.0f} MB."
        )

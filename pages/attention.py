"""Attention: what any word or patch looks at, and what looks at it."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared import frame, selection, session
from pages.shared.components.linked_view import is_whole, linked_view
from pages.shared.layout import downloads, heading, how_to_read
from pages.shared.selection import Selection
from vl_core.arrays import HeadAttention
from vl_core.figures import attention as figures
from vl_core.token_attention import (
    Profile,
    arrays_of_layer,
    as_csv,
    profile,
    token_names,
    weights_of,
)
from vl_core.trace import Stack, TokenTable, TracedExample

if TYPE_CHECKING:
    import plotly.graph_objects as go

frame.guard()

PARTS = {
    "words at words": ("text", "text"),
    "words at patches": ("text", "image"),
    "patches at words": ("image", "text"),
    "patches at patches": ("image", "image"),
    "all tokens": ("all", "all"),
}
HOW_TO_READ = """
Every token shares its attention out over all tokens it may look at, anew in each layer and head.
The weights of a layer and head form a matrix: each **row** is a token that looks (a *query*) and
adds up to 100 %, each **column** a token that is looked at (a *key*).

- **Looks at** shows a row: where the chosen token's attention goes. The shares of text, image and
  specials add up to 100 %.
- **Is looked at by** shows a column: which share of its own attention each token gives to the
  chosen one. These shares come from different rows and do not add up to 100 %.
- Several pinned tokens are shown as the mean of their rows or columns; with nothing pinned, it is
  the mean of all words. Means over heads or layers are means of the weights.
- **Colors** run from zero to the number at the end of the bar. *Per map*, picture and words have a
  scale of their own, so compare numbers and not colors between them; neither scale ends below 1/20
  of the other, so that next to nothing stays dark. *Shared* puts every token of the layer and head
  on one scale. Special tokens can exceed it, which the bar marks with ≥.
- **Patches** are the rectangles that the model really sees; *smooth* only blurs between them.
- The browser holds each weight to within 0.002 % of its row's largest one; the downloads are exact.
"""


def keep(choice: dict[str, object]) -> None:
    """Take over what the visitor chose in the linked view, for all pages."""
    selection.update(**choice)


def shown_tokens(tokens: TokenTable, chosen: Selection) -> tuple[int, ...]:
    """What is pinned, or else all words, as in the linked view."""
    return chosen.tokens or tuple(np.flatnonzero(tokens.is_text).tolist())


def asked(tokens: TokenTable, pinned: tuple[int, ...], direction: str) -> str:
    """The question that the linked view answers, in a few words."""
    names = [token_names(tokens)[token] for token in pinned]
    who = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
    return f"What {who} looks at" if direction == "looks_at" else f"What looks at {who}"


def place(stack: Stack, layer: int | None, head: int | None) -> str:
    """Layer and head as they are called on screen."""
    in_layer = "mean of all layers" if layer is None else f"layer {stack.layers[layer] + 1}"
    return f"{in_layer}, {'mean of all heads' if head is None else f'head {head + 1}'}"


def matrices(stack: Stack, weights: HeadAttention, where: str) -> None:
    """One of the matrices between words and patches."""
    has_image = stack.keys.is_image.any()
    offered = [name for name, parts in PARTS.items() if has_image or "image" not in parts]
    name = st.segmented_control(
        "Who looks at what",
        offered,
        default=offered[-1] if not has_image else "words at patches",
        key="matrix",
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    parts = PARTS[name]
    figure = figures.matrix(
        weights, stack.queries, stack.keys, parts, f"{name.capitalize()}: {where}"
    )
    # Streamlit's own theme for charts writes on axes in a gray that is too light to read.
    ink = st.get_option(f"theme.{st.context.theme.type or 'light'}.textColor")
    st.plotly_chart(figure.update_layout(font_color=ink), theme=None, key="matrix_figure")


def exported(
    example: TracedExample, tokens: TokenTable, values: Profile, title: str
) -> "go.Figure":
    """The linked view's map as a figure that stands by itself."""
    picture = None if example.picture is None else np.asarray(example.picture.convert("RGB"))
    return figures.on_picture_and_words(picture, example.original_size, tokens, values, title)


trace = session.trace()
chosen = selection.current()
stack = trace.stacks[chosen.stack]
layer = None if chosen.all_layers and is_whole(stack) else chosen.layer

heading(
    "Where does each word look?",
    "Point at a word or a patch to see what it looks at; click to pin it, drag or Shift-click to "
    "average several. Patches are named by row and column.",
)
linked_view(session.trace_id(), trace.example, stack, chosen, keep)

tokens = shown_tokens(stack.queries, chosen)
where = place(stack, layer, chosen.head)
weights = session.remembered(
    ("attention", chosen.stack, layer, chosen.head),
    partial(weights_of, stack, layer, chosen.head),
)
values = profile(weights, tokens, chosen.direction)
title = f"{asked(stack.queries, tokens, chosen.direction)}: {where}"
downloads(
    "attention",
    csv=partial(as_csv, stack.keys, values),
    npz=partial(arrays_of_layer, stack, layer),
    figure=partial(exported, trace.example, stack.keys, values, title),
)
how_to_read(HOW_TO_READ)

st.subheader("All tokens at once", anchor=False)
st.caption(f"The whole matrix of {where}. Each row looks, each column is looked at.")
matrices(stack, weights, where)

"""The matrices of the attention page: who looks at what, and what no mask lets happen."""

from functools import partial

import numpy as np
import streamlit as st

from pages.shared import session
from vl_core import structure
from vl_core.arrays import QueryMask
from vl_core.attention_matrix import matrix
from vl_core.figures import attention as figures
from vl_core.trace import Stack, TokenTable

PARTS = {
    "words at words": ("text", "text"),
    "words at patches": ("text", "image"),
    "patches at words": ("image", "text"),
    "patches at patches": ("image", "image"),
    "all tokens": ("all", "all"),
}


def say_what_cannot_be(stack: Stack) -> None:
    """What the masks forbid between words and picture, whatever the model has learned."""
    for sides in (("image", "text"), ("text", "image")):
        if sentence := forbidden(stack, *sides):
            st.caption(f":material/block: {sentence}")


def forbidden(stack: Stack, looking: str, looked_at: str) -> str:
    """That no token of one kind may look at one of another, or nothing if one may."""
    queries = of_kind(stack.queries, looking) & structure.looking_queries(stack)
    keys = of_kind(stack.keys, looked_at)
    if not (queries.any() and keys.any() and structure.is_structurally_zero(stack, queries, keys)):
        return ""
    names = {"text": "words", "image": "patches"}
    one, other = names[looking], names[looked_at]
    comes_first = np.flatnonzero(queries).max() < np.flatnonzero(keys).min()
    why = f"The {one} come before the {other}, and no token looks ahead"
    if not (stack.is_self_attention and comes_first):
        why = "The model's masks forbid it"
    return f"{why}: {one} cannot look at {other}. That share is zero in every layer and head."


def of_kind(tokens: TokenTable, kind: str) -> QueryMask:
    """Words or patches."""
    return tokens.is_text if kind == "text" else tokens.is_image


def offered_parts(stack: Stack) -> list[str]:
    """Which matrices there are: between a kind of token that looks and one that is looked at."""
    looks = structure.looking_queries(stack)
    return [
        name
        for name, (looking, looked_at) in PARTS.items()
        if looking == "all"
        or (
            (looks & of_kind(stack.queries, looking)).any() and of_kind(stack.keys, looked_at).any()
        )
    ]


def choose_part(offered: list[str]) -> str:
    """Which of the matrices is shown."""
    if st.session_state.get("matrix") not in offered:
        st.session_state.pop("matrix", None)  # another stack has other kinds of token
    return st.segmented_control(
        "Who looks at what",
        offered,
        default="words at patches" if "words at patches" in offered else offered[-1],
        key="matrix",
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )


def draw(stack: Stack, layer: int | None, head: int | None, where: str) -> None:
    """One of the matrices between words and patches, or why it is empty.

    where: layer and head as they are called on screen.
    """
    st.caption(f"The whole matrix of {where}. Each row looks, each column is looked at.")
    name = choose_part(offered_parts(stack))
    parts = PARTS[name]
    if name != "all tokens" and (sentence := forbidden(stack, *parts)):
        st.info(sentence, icon=":material/block:")
        return
    positions = figures.part_of(stack.queries, parts[0]), figures.part_of(stack.keys, parts[1])
    with st.spinner("Forming the matrix"):
        cells = session.remembered(
            ("matrix", stack.name, layer, head, name),
            partial(matrix, stack, layer, head, *positions),
        )
    figure = figures.matrix(
        cells, stack.queries, stack.keys, parts, f"{name.capitalize()}: {where}"
    )
    # Streamlit's own theme for charts writes on axes in a gray that is too light to read.
    ink = st.get_option(f"theme.{st.context.theme.type or 'light'}.textColor")
    st.plotly_chart(figure.update_layout(font_color=ink), theme=None, key="matrix_figure")
    if cells.is_binned:
        bins = {"queries": cells.row_bin, "keys": cells.column_bin}
        sizes = " × ".join(f"{width} {side}" for side, width in bins.items() if width > 1)
        st.caption(f"Too many tokens for a cell each: a cell is the mean weight of up to {sizes}.")

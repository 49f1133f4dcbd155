"""The matrices of the attention page: who looks at what, and what no mask lets happen."""

from functools import partial

import numpy as np
import streamlit as st

from pages.shared import session
from pages.shared.layout import escaped
from pages.shared.stack_names import called
from vl_core import structure
from vl_core.arrays import QueryMask
from vl_core.attention_matrix import matrix
from vl_core.figures import attention as figures
from vl_core.token_attention import Position, has_place
from vl_core.trace import Stack, TokenTable, Trace
from vl_core.trace.nouns import image_noun

# By the names under which the choice is remembered; a stack's own name for them says `part_name`.
PARTS = {
    "words at words": ("text", "text"),
    "words at patches": ("text", "image"),
    "patches at words": ("image", "text"),
    "patches at patches": ("image", "image"),
    "all tokens": ("all", "all"),
}
ROWS_OF_ANSWER = {
    "predicts": "Rows of the answer are the positions that **predict** its words: the one before "
    "each, as *predicts it* above the picture says. Columns are the positions that read them.",
    "reads": "Rows of the answer are the positions that **read** its words, and so are columns. "
    "The view above has the same rows where it shows *reads it* or *is looked at by*.",
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
    one, other = plural(stack.queries, looking), plural(stack.keys, looked_at)
    why = "The model's masks forbid it"
    if stack.is_self_attention and np.flatnonzero(queries).max() < np.flatnonzero(keys).min():
        why = f"The {one} come before the {other}, and {_who_sees_no_later(stack, looking)}"
    return f"{why}: {one} cannot look at {other}. That share is zero in every layer and head."


def _who_sees_no_later(stack: Stack, looking: str) -> str:
    """Why tokens cannot look at those that follow: nobody does, or they alone do not."""
    looks_ahead = session.remembered(
        ("looks ahead", stack.name), lambda: structure.looks_ahead(stack)
    )
    if not looks_ahead:
        return "no token looks ahead"
    one = "word" if looking == "text" else image_noun(stack.queries).one
    other = image_noun(stack.keys).one if looking == "text" else "word"
    return f"no {one} sees a {other} behind it"


def plural(tokens: TokenTable, kind: str) -> str:
    """What tokens of a kind are called together."""
    return "words" if kind == "text" else image_noun(tokens).many


def say_what_has_no_place(trace: Trace, stack: Stack) -> None:
    """Why no picture is drawn though the stack has tokens of the image, and where to find it."""
    sides = (stack.queries, stack.keys)
    tokens = next((one for one in sides if one.is_image.any()), None)
    if tokens is None or any(has_place(one).any() for one in sides):
        return
    noun = image_noun(tokens)
    said = f"The {noun.many} have no place in the picture, so no picture is drawn here."
    for other in trace.stacks.values():
        if image_noun(other.queries) is noun and has_place(other.keys).any():
            said += f" Choose “{escaped(called(other))}” to see where each of them looks."
            break
    st.caption(f":material/image_not_supported: {said}")


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


def part_name(stack: Stack, part: str) -> str:
    """What a matrix is called, by what the tokens of its two sides are."""
    looking, looked_at = PARTS[part]
    if looking == "all":
        return part
    return f"{plural(stack.queries, looking)} at {plural(stack.keys, looked_at)}"


def choose_part(stack: Stack) -> str:
    """Which of the matrices is shown."""
    offered = offered_parts(stack)
    if st.session_state.get("matrix") not in offered:
        st.session_state.pop("matrix", None)  # another stack has other kinds of token
    return st.segmented_control(
        "Who looks at what",
        offered,
        format_func=lambda part: part_name(stack, part),
        default="words at patches" if "words at patches" in offered else offered[-1],
        key="matrix",
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )


def draw(
    stack: Stack, layer: int | None, head: int | None, where: str, position: Position | None
) -> None:
    """One of the matrices between words and patches, or why it is empty.

    where: layer and head as they are called on screen. position: at which of its two positions a
    word of the answer looks; None where words have one.
    """
    st.caption(f"The whole matrix of {where}. Each row looks, each column is looked at.")
    name = choose_part(stack)
    parts = PARTS[name]
    if name != "all tokens" and (sentence := forbidden(stack, *parts)):
        st.info(sentence, icon=":material/block:")
        return
    positions = figures.part_of(stack.queries, parts[0]), figures.part_of(stack.keys, parts[1])
    if position and stack.queries.is_generated[positions[0]].any():
        st.caption(ROWS_OF_ANSWER[position])
    with st.spinner("Forming the matrix"):
        cells = session.remembered(
            ("matrix", stack.name, layer, head, name, position),
            partial(matrix, stack, layer, head, *positions, position=position or "reads"),
        )
    called_part = part_name(stack, name)
    title = f"{called_part[:1].upper()}{called_part[1:]}: {where}"
    figure = figures.matrix(cells, stack.queries, stack.keys, parts, title)
    # Streamlit's own theme for charts writes on axes in a gray that is too light to read.
    ink = st.get_option(f"theme.{st.context.theme.type or 'light'}.textColor")
    st.plotly_chart(figure.update_layout(font_color=ink), theme=None, key="matrix_figure")
    if cells.is_binned:
        bins = {"queries": cells.row_bin, "keys": cells.column_bin}
        sizes = " × ".join(f"{width} {side}" for side, width in bins.items() if width > 1)
        st.caption(f"Too many tokens for a cell each: a cell is the mean weight of up to {sizes}.")

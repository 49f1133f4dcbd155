"""Attention: what any word or image patch looks at, and what looks at it."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared import frame, selection, session
from pages.shared.components.linked_view import is_whole, linked_view, shown_tokens
from pages.shared.layout import downloads, escaped, heading, how_to_read
from pages.shared.selection import Selection
from pages.shared.stack_names import all_called
from vl_core import structure
from vl_core.arrays import QueryMask
from vl_core.attention_matrix import matrix
from vl_core.attention_tables import arrays, as_csv, extent
from vl_core.figures import attention as figures
from vl_core.token_attention import Profile, asking, has_place, profile, token_names
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
"""
PRECISION = {
    True: """\
- The browser holds each weight to within 0.002 % of its row's largest one; the downloads are exact.
""",
    False: """\
- There are too many weights here to send: the browser has the queries and keys of the layer or head
  on show and works the weights out, as the downloads do.
""",
}
POSITIONS = """\
- **A word of the answer has two positions.** The model writes it from what the position before it
  puts out, and reads it back at a position of its own. *Predicts it* shows the first: where the
  model looked when it chose the word; *reads it* the second.
"""
NOT_KEPT = (
    "The attention of this stack was not kept: it did not fit the memory allowed for one analysis. "
    "The statistics of its heads were measured and stand on the heads page. Choose a smaller "
    "picture, or allow more memory."
)


def keep(choice: dict[str, object]) -> None:
    """Take over what the visitor chose in the linked view, for all pages."""
    selection.update(**choice)


def choose_stack(names: dict[str, str], now: str) -> None:
    """Whose attention, where a model has several kinds of it."""
    if len(names) < 2:
        return
    st.session_state["attention_stack"] = now
    st.selectbox(
        "Attention of",
        list(names),
        format_func=names.__getitem__,
        key="attention_stack",
        on_change=lambda: selection.choose_stack(st.session_state["attention_stack"]),
        width=360,
    )


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


def asked(stack: Stack, chosen: Selection) -> str:
    """The question that the linked view answers, in a few words."""
    is_row = chosen.direction == "looks_at"
    tokens = shown_tokens(stack, chosen)
    called = token_names(stack.queries if is_row else stack.keys)
    names = [called[token] for token in tokens[:3]]
    who = ", ".join(names) + (" …" if len(tokens) > 3 else "")
    if not is_row:
        return f"What looks at {who}"
    is_elsewhere = rows(stack, chosen) != tokens
    return (
        f"What the position that predicts {who} looks at"
        if is_elsewhere
        else f"What {who} looks at"
    )


def rows(stack: Stack, chosen: Selection) -> tuple[int, ...]:
    """The positions that stand for the tokens on show."""
    tokens = shown_tokens(stack, chosen)
    if chosen.direction == "looks_at" and offers_position(stack):
        return asking(stack.queries, tokens, chosen.position)
    return tokens


def offers_position(stack: Stack) -> bool:
    """Whether words of the answer have a position that predicts and one that reads them."""
    return session.remembered(
        ("can predict", stack.name), lambda: structure.can_predict(session.trace(), stack)
    )


def place(stack: Stack, layer: int | None, head: int | None) -> str:
    """Layer and head as they are called on screen."""
    in_layer = "mean of all layers" if layer is None else f"layer {stack.layers[layer] + 1}"
    return f"{in_layer}, {'mean of all heads' if head is None else f'head {head + 1}'}"


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


def draw_matrix(stack: Stack, layer: int | None, head: int | None) -> None:
    """One of the matrices between words and patches, or why it is empty."""
    where = place(stack, layer, head)
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


def exported(
    example: TracedExample, tokens: TokenTable, values: Profile, title: str, wanted_view: str
) -> "go.Figure":
    """The linked view's map as a figure that stands by itself."""
    picture = None if example.picture is None else np.asarray(example.picture.convert("RGB"))
    views = list(dict.fromkeys(np.array(tokens.views)[has_place(tokens)].tolist()))
    view = wanted_view if wanted_view in views else next(iter(views), "")
    title = f"{title}, {view}" if view else title
    return figures.on_picture_and_words(picture, example.original_size, tokens, values, title, view)


def take_away(example: TracedExample, stack: Stack, chosen: Selection, layer: int | None) -> None:
    """The numbers on show and the weights around them, as far as they fit a file."""
    answering = stack.keys if chosen.direction == "looks_at" else stack.queries
    where = place(stack, layer, chosen.head)
    title = f"{asked(stack, chosen)}: {where}"
    positions = rows(stack, chosen)

    def values() -> Profile:
        return profile(stack, layer, chosen.head, positions, chosen.direction)

    downloads(
        "attention",
        csv=lambda: as_csv(answering, values()),
        npz=lambda: arrays(stack, layer, chosen.head, values()),
        figure=lambda: exported(example, answering, values(), title, chosen.picture_view),
    )
    held = extent(stack)
    if held != "heads":
        what = f"the weights of {where}" if held == "head" else "the values on show"
        size = 4 * np.prod(stack.weights.shape[1:], dtype=float) / 2**20
        st.caption(
            f"The NPZ file holds {what} alone: all {stack.n_heads} heads of the layer would take "
            f"{size:,.0f} MB."
        )


def draw(stack: Stack, chosen: Selection) -> None:
    """The linked view, what can be taken away of it, and the matrices behind it."""
    layer = None if chosen.all_layers and is_whole(stack) else chosen.layer
    has_positions = offers_position(stack)
    example = session.trace().example
    say_what_cannot_be(stack)
    linked_view(session.trace_id(), example, stack, chosen, keep, offers_position=has_positions)
    take_away(example, stack, chosen, layer)
    how_to_read(HOW_TO_READ + PRECISION[is_whole(stack)] + POSITIONS * has_positions)
    st.subheader("All tokens at once", anchor=False)
    draw_matrix(stack, layer, chosen.head)


heading(
    "Where does each word look?",
    "Point at a word or a patch to see what it looks at; click to pin it, drag or Shift-click to "
    "average several. Patches are named by row and column.",
)
trace = session.trace()
chosen = selection.current()
choose_stack(all_called(trace), chosen.stack)
if trace.stacks[chosen.stack].is_kept:
    draw(trace.stacks[chosen.stack], chosen)
else:
    st.info(escaped(NOT_KEPT), icon=":material/info:")

"""Attention: what any word or image patch looks at, and what looks at it."""

from typing import Any

import streamlit as st

from pages.shared import (
    attention_matrices,
    frame,
    neutral_prompt,
    selection,
    session,
    sink_sentences,
    sinks,
)
from pages.shared.attention_files import (
    asking_positions,
    matrix_position,
    offers_position,
    place,
    take_away,
)
from pages.shared.components.linked_view import is_whole, linked_view
from pages.shared.kept_layers import KeptLayers
from pages.shared.layout import escaped, heading, how_to_read
from pages.shared.selection import Selection
from pages.shared.stack_names import all_called
from vl_core.trace import Stack
from vl_core.trace.nouns import PATCH, QUERY_TOKEN, REGION, image_noun

frame.guard()

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
"""
NAMES = {
    PATCH: "- **Patches** are the rectangles that the model really sees, named by row and column; "
    "*smooth* only blurs between them.\n",
    REGION: "- **Regions** are the boxes of a detector, numbered as in its file: the model reads "
    "what the detector found in them, and no pixels.\n",
    QUERY_TOKEN: "- **Query tokens** are learned: each gathers something of the picture for the "
    "words to read, and has no place in it.\n",
}
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


def names_of_image(stack: Stack) -> str:
    """What the tokens of the picture are, on either side of a stack."""
    sides = (stack.queries, stack.keys)
    nouns = dict.fromkeys(image_noun(tokens) for tokens in sides if tokens.is_image.any())
    return "".join(NAMES[noun] for noun in nouns)


def draw(layers: KeptLayers, chosen: Selection) -> None:
    """The linked view, what can be taken away of it, and the matrices behind it."""
    if sentence := layers.said(chosen):
        st.info(escaped(sentence), icon=":material/info:")
    trace, chosen = layers.trace, layers.within(chosen)
    whole = trace.stacks[chosen.stack]
    layer = None if chosen.all_layers and is_whole(whole) else chosen.layer
    has_positions = offers_position(whole)
    attention_matrices.say_what_cannot_be(whole)
    attention_matrices.say_what_has_no_place(layers.whole, whole)
    shown = sinks.choice(trace, whole)
    stack = shown.stack

    def keep(choice: dict[str, Any]) -> None:
        """Take over what the visitor chose in the linked view, for all pages."""
        selection.update(**choice | {"layer": layers.places[choice["layer"]]})

    linked_view(
        session.trace_id(), trace.example, stack, chosen, keep, offers_position=has_positions
    )
    # Of a word of the answer it is the row on show that counts, and not always the word's own.
    rows = asking_positions(whole, chosen)
    sink_sentences.of_rows(shown, layer, chosen.head, rows, chosen.direction)
    take_away(trace.example, stack, chosen, layer)
    how_to_read(
        HOW_TO_READ + names_of_image(whole) + PRECISION[is_whole(stack)] + POSITIONS * has_positions
    )
    where = place(stack, layer, chosen.head)
    own = None if layer is None else layers.places[layer]
    neutral_prompt.draw(layers.whole, layers.stack, own, chosen.head, where, chosen.picture_view)
    st.subheader("All tokens at once", anchor=False)
    attention_matrices.draw(stack, layer, chosen.head, where, matrix_position(whole, chosen))


heading(
    "Where does each word look?",
    "Point at a word or at the picture to see what it looks at; click to pin it, drag or "
    "Shift-click to average several.",
)
trace = session.trace()
chosen = selection.current()
choose_stack(all_called(trace), chosen.stack)
stack = trace.stacks[chosen.stack]
if stack.kept_layers:
    draw(KeptLayers(trace, stack), chosen)
else:
    st.info(escaped(NOT_KEPT), icon=":material/info:")

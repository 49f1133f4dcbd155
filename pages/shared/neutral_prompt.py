"""What this question looks at, divided by what a neutral prompt looks at in the same picture."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared import session
from pages.shared.layout import escaped
from vl_core.errors import EmptySelectionError, VLError
from vl_core.figures.relative import n_beyond, reach, relative_map
from vl_core.sinks import NEUTRAL_PROMPT, Relative, relative_attention
from vl_core.sinks.relative import DEFINITION, SOURCE, asking
from vl_core.token_attention import has_place, in_view, view_on_show
from vl_core.trace import Stack, TokenTable, Trace
from vl_core.trace.nouns import image_noun

if TYPE_CHECKING:
    import plotly.graph_objects as go


def can_divide(trace: Trace, stack: Stack) -> bool:
    """Whether there is anything to divide: words that ask, about places in a picture, of a model.

    Nothing is run for it. In a vision tower no word looks, query tokens have no place, and tensors
    that were brought along have no model to ask anew.
    """
    if trace.example.image is None or not trace.provenance.family:
        return False
    try:
        asking(trace, stack.name)
    except EmptySelectionError:
        return False
    return bool(has_place(stack.keys).any())


def draw(
    trace: Trace, stack: Stack, layer: int | None, head: int | None, where: str, wanted_view: str
) -> None:
    """The choice to ask the neutral prompt too, and the map that follows; where: layer and head.

    stack: one of the trace's own, with its sinks: dividing takes them out. wanted_view: of the
    picture, where the model has several. Nothing is offered where nothing can be divided.
    """
    if not (can_divide(trace, stack) and _is_wanted()):
        return
    definition = image_noun(stack.keys).named(DEFINITION)
    st.caption(
        f"{escaped(definition)} 1 × is looked at for either, more is looked at for this question. "
        f"Source: {SOURCE}."
    )
    try:
        neutral = session.trace_of(replace(session.request(), question=NEUTRAL_PROMPT))
        found = relative_attention(trace, neutral, stack.name, layer, head)
    except VLError as error:
        st.info(escaped(str(error)), icon=":material/info:")
        return
    view = view_on_show(stack.keys, wanted_view)
    _draw_map(trace, stack, found, where, view)
    st.caption(_said(found, stack.keys, neutral.streams[stack.query_stream].tokens, view))


def _is_wanted() -> bool:
    return st.toggle(
        "Divide by a neutral prompt",
        key="neutral_prompt",
        help=f"Runs the model once more, with “{NEUTRAL_PROMPT}”: this takes as long as the "
        "analysis of your own question did.",
    )


def _draw_map(trace: Trace, stack: Stack, found: Relative, where: str, view: str) -> None:
    """The patches of a view colored by what they get, and how, or why there is nothing to color."""
    if (in_view(stack.keys, view) & np.isfinite(found.values)).any():
        figure = _figure(trace, stack, found, f"Relative to a neutral prompt: {where}", view)
        st.plotly_chart(figure, theme=None, width="content", key="neutral_prompt_map")
        # No line break may tear a number from its sign.
        said = _said_of_colors(stack.keys, found.values, view)
        st.caption(said.replace(" ×", "\N{NO-BREAK SPACE}×"))
    else:
        what = f"the view “{view}” of the picture" if view else "the picture"
        st.info(
            f"The neutral prompt gives {what} next to no attention here, so there is nothing to "
            "divide by. Choose another head or layer.",
            icon=":material/info:",
        )


def _figure(trace: Trace, stack: Stack, found: Relative, title: str, view: str) -> "go.Figure":
    example = trace.example
    picture = np.asarray(example.picture.convert("RGB"))
    title = f"{title}, {view}" if view else title
    figure = relative_map(picture, example.original_size, stack.keys, found.values, title, view)
    # Streamlit's own theme for charts writes in a gray that is too light to read.
    ink = st.get_option(f"theme.{st.context.theme.type or 'light'}.textColor")
    return figure.update_layout(font_color=ink)


def _said_of_colors(keys: TokenTable, values: np.ndarray, view: str) -> str:
    """How colors tell ratios, and how many lie beyond them."""
    ratios = values[in_view(keys, view) & np.isfinite(values)]
    limit = 2 ** reach(ratios)
    said = f"Equal distances in color are equal factors: 1 × is pale, {limit:,} × and more is the "
    said += f"last red, 1/{limit:,} × and less the last blue."
    count = n_beyond(ratios)
    if not count:
        return said
    noun = image_noun(keys)
    who = f"{count} {noun.one} lies" if count == 1 else f"{count} {noun.many} lie"
    return f"{said} {who} beyond; point there for the number."


def _said(found: Relative, keys: TokenTable, asked: TokenTable, view: str) -> str:
    """Whose rows were divided, what is missing, and whether the model could read the prompt."""
    if found.is_last:
        places = f"{found.queries[0] + 1} and {found.neutral_queries[0] + 1}"
        of = f"the rows of the last position of either prompt ({places}), which predicts the first "
        parts = [f"Divided are {of}token of the answer."]
    else:
        parts = ["Divided are the mean rows of all words of either question."]
    drawn, noun = in_view(keys, view), image_noun(keys)
    missing = int((drawn & np.isnan(found.values)).sum())
    if missing:
        parts.append(
            f"{missing} of {int(drawn.sum())} {noun.many} are left uncolored: the neutral prompt "
            f"gives them less than a thousandth of its mean {noun.one}."
        )
    unknown, words = int(asked.is_unknown.sum()), int(asked.is_text.sum())
    if unknown:
        parts.append(
            f"This model does not know {unknown} of the {words} words of the neutral prompt, so "
            "that it can hardly tell what is asked."
        )
    return " ".join(parts)

"""What this question looks at, divided by what a neutral prompt looks at in the same picture."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared import session
from pages.shared.layout import escaped
from vl_core.errors import VLError
from vl_core.figures.relative import relative_map
from vl_core.sinks import NEUTRAL_PROMPT, Relative, relative_attention
from vl_core.sinks.relative import DEFINITION, SOURCE
from vl_core.trace import Stack, TokenTable, Trace

if TYPE_CHECKING:
    import plotly.graph_objects as go


def draw(trace: Trace, stack: Stack, layer: int | None, head: int | None, where: str) -> None:
    """The choice to ask the neutral prompt too, and the map that follows; where: layer and head.

    stack: one of the trace's own, with its sinks: dividing takes them out.
    """
    is_wanted = st.toggle(
        "Divide by a neutral prompt",
        key="neutral_prompt",
        help=f"Runs the model once more, with “{NEUTRAL_PROMPT}”",
    )
    if not is_wanted:
        return
    st.caption(
        f"{escaped(DEFINITION)} 1 × is looked at for either, more is looked at for this question. "
        f"Source: {SOURCE}."
    )
    try:
        neutral = session.trace_of(replace(session.request(), question=NEUTRAL_PROMPT))
        found = relative_attention(trace, neutral, stack.name, layer, head)
    except VLError as error:
        st.info(escaped(str(error)), icon=":material/info:")
        return
    figure = _figure(trace, stack, found, f"Relative to a neutral prompt: {where}")
    if figure is None:
        st.info(
            "The neutral prompt gives the picture next to no attention here, so there is nothing "
            "to divide by. Choose another head or layer.",
            icon=":material/info:",
        )
    else:
        st.plotly_chart(figure, theme=None, key="neutral_prompt_map")
    st.caption(_said(found, stack.keys, neutral.streams[stack.query_stream].tokens))


def _figure(trace: Trace, stack: Stack, found: Relative, title: str) -> "go.Figure | None":
    example = trace.example
    if example.picture is None or example.original_size is None:
        return None
    if not (np.isfinite(found.values) & ~np.isnan(stack.keys.boxes).any(axis=1)).any():
        return None
    picture = np.asarray(example.picture.convert("RGB"))
    return relative_map(picture, example.original_size, stack.keys, found.values, title)


def _said(found: Relative, keys: TokenTable, asked: TokenTable) -> str:
    """Whose rows were divided, what is missing, and whether the model could read the prompt."""
    if found.is_last:
        places = f"{found.queries[0] + 1} and {found.neutral_queries[0] + 1}"
        of = f"the rows of the last position of either prompt ({places}), which predicts the first "
        parts = [f"Divided are {of}token of the answer."]
    else:
        parts = ["Divided are the mean rows of all words of either question."]
    missing = int((keys.is_image & np.isnan(found.values)).sum())
    if missing:
        parts.append(
            f"{missing} of {int(keys.is_image.sum())} patches are left uncolored: the neutral "
            "prompt gives them less than a thousandth of its mean patch."
        )
    unknown, words = int(asked.is_unknown.sum()), int(asked.is_text.sum())
    if unknown:
        parts.append(
            f"This model does not know {unknown} of the {words} words of the neutral prompt, so "
            "that it can hardly tell what is asked."
        )
    return " ".join(parts)

"""Heads: which heads stand out on one statistic, all layers at once."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared import frame, head_list, head_panel, head_profile, selection, session
from pages.shared.components.head_map import Labels, head_map
from pages.shared.head_numbers import (
    COUNTERPARTS,
    Numbers,
    counted,
    file_name,
    menu_label,
    numbers,
    patterns_of,
    statistic,
)
from pages.shared.head_panel import written
from pages.shared.layout import downloads, escaped, heading, how_to_read
from pages.shared.selection import Selection
from vl_core import head_stats
from vl_core.figures import heads as figures
from vl_core.head_stats import HeadStatistic, vlinterpret
from vl_core.head_stats.pattern import MIXED, PATTERNS
from vl_core.head_stats.sheet import as_csv
from vl_core.head_stats.summary import why_missing
from vl_core.trace import Stack

if TYPE_CHECKING:
    import plotly.graph_objects as go

frame.guard()

VIEW_NAMES = {"raw": "Values", "z": "z-scores", "vlinterpret": "As VL-InterpreT computed it"}
HOW_TO_READ = """
Each cell is one head, each row one layer, the first layer on top; the column beside the map is the
mean over the layer's heads. A head is named after the direction in which it looks: *text-to-image*
means that words are the queries and look at patches as keys. Hatched cells are missing, not zero.

- **Values** are in the statistic's own unit. The colors run from the lowest head to the highest, so
  read the numbers beside the scale before calling a difference large.
- **z-scores** tell how many standard deviations a head lies above or below the mean of all heads.
- **As VL-InterpreT computed it** repeats the original tool's seven statistics, faults included.
- **Special tokens** (class, separator) often take up much attention. Without them, their rows and
  columns are dropped and each row is divided by what is left.
- A head's **pattern** is the first of these rules that its numbers meet:
"""
VLINTERPRET_DIFFERS = (
    "z-scores over the layers, for each head number by itself, so that heads of one layer cannot "
    "be compared. Some patches count as text, because the text's length is taken before [CLS] and "
    "[SEP] are dropped; intra-modal leaves out text. Its menu names the flow of information: "
    "words that look at the image are called “image-to-text” there."
)


def choose_numbers(trace_stacks: list[str], chosen: Selection) -> None:
    """The controls in one row; what they change goes into the selection that all pages share."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        choose_statistic_and_view(trace_stacks, chosen)
        st.session_state["heads_specials"] = chosen.specials
        st.toggle(
            "Count special tokens",
            key="heads_specials",
            on_change=_keep("specials"),
            disabled=chosen.view == "vlinterpret",
            help="Whether class, separator and other special tokens take part.",
        )


def choose_statistic_and_view(trace_stacks: list[str], chosen: Selection) -> None:
    """Whose attention, which number, in which view; labels on one line."""
    with st.container(horizontal=True, vertical_alignment="top", gap="medium", width="content"):
        if len(trace_stacks) > 1:
            _choice("stack", "Attention of", trace_stacks, chosen.stack)
        if chosen.view == "vlinterpret":
            _choose_menu_label(chosen)
        else:
            names = {one.key: one.name for one in head_stats.all_statistics()}
            _choice("statistic", "Statistic", list(names), statistic(chosen).key, names)
        st.session_state["heads_view"] = chosen.view
        st.segmented_control(
            "Shown as",
            list(VIEW_NAMES),
            format_func=VIEW_NAMES.get,
            key="heads_view",
            required=True,
            on_change=_keep("view"),
        )


def _choice(
    what: str, label: str, options: list[str], value: str, names: dict[str, str] | None = None
) -> None:
    """A searchable menu that shows and changes one part of the selection."""
    st.session_state[f"heads_{what}"] = value
    st.selectbox(
        label,
        options,
        format_func=lambda option: (names or {}).get(option, option),
        key=f"heads_{what}",
        on_change=_keep(what),
        width=330,
    )


def _keep(what: str) -> Callable[[], None]:
    return lambda: selection.update(**{what: st.session_state[f"heads_{what}"]})


def _choose_menu_label(chosen: Selection) -> None:
    """VL-InterpreT's own menu; the selection keeps the correct statistic behind the entry."""

    def keep() -> None:
        selection.update(statistic=COUNTERPARTS[st.session_state["heads_menu"]].key)

    st.session_state["heads_menu"] = menu_label(chosen)
    st.selectbox("Statistic", vlinterpret.LABELS, key="heads_menu", on_change=keep, width=330)


def say_definition(chosen: Selection) -> None:
    """The exact definition beside the number, with unit, range and source."""
    if chosen.view == "vlinterpret":
        st.caption(escaped(VLINTERPRET_DIFFERS))
        return
    one = statistic(chosen)
    parts = [one.definition, f"In {one.unit}{_range(one)}."]
    if one.flow_name:
        parts.append(f"VL-InterpreT's menu called this direction “{one.flow_name}”.")
    if one.source:
        parts.append(f"Source: {one.source}.")
    st.caption(escaped(" ".join(parts)))


def _range(one: HeadStatistic) -> str:
    low, high = one.range
    if low is None and high is None:
        return ""
    if high is None:
        return f", from {low:g} up"
    return f", up to {high:g}" if low is None else f", {low:g} to {high:g}"


def draw_map(stack: Stack, chosen: Selection, shown: Numbers) -> None:
    """The map itself, or why there is none to see."""
    if shown.is_missing and chosen.view != "vlinterpret":
        st.info(escaped(why_missing(statistic(chosen), stack)), icon=":material/info:")
    head_map(
        shown.cells,
        shown.means,
        shown.scale,
        Labels(
            shown.name,
            shown.unit,
            [layer + 1 for layer in stack.layers],
            _hints(stack, shown),
            file_name(chosen, shown),
        ),
        (chosen.layer, chosen.head),
        lambda layer, head: selection.update(layer=layer, head=head),
    )


def _hints(stack: Stack, shown: Numbers) -> list[list[list[str]]]:
    """Under the pointer: the value in its own unit where a z-score is shown, rank, pattern."""
    named = patterns_of(stack)
    standing = shown.ranks
    has_scores = shown.cells is shown.z_scores
    hints = []
    for layer, row in enumerate(shown.cells):
        hints.append([])
        for head, value in enumerate(row):
            lines = [f"rank {standing[layer, head]} of {shown.n_ranked}"] * bool(np.isfinite(value))
            if has_scores and lines:
                lines.insert(0, f"{written(shown.in_own_unit[layer, head])} {shown.own_unit}")
            hints[-1].append([*lines, named[layer][head].name])
    return hints


def explain() -> None:
    """How to read the page, with the rules behind the patterns' names."""
    rules = [f"    - *{escaped(one.name)}*: {escaped(one.rule)}" for one in (*PATTERNS, MIXED)]
    how_to_read(HOW_TO_READ + "\n".join(rules))


def draw(stack: Stack, chosen: Selection) -> None:
    """The map with the selected head beside it, the list, the layers, and all of it to take."""
    shown = numbers(stack, chosen)
    top = st.grid(3, min_column_width=280, gap="medium")
    with top.cell(column_span=2, row_span=2):
        draw_map(stack, chosen, shown)
        say_definition(chosen)
        downloads(
            "heads",
            csv=lambda: as_csv(stack),
            figure=lambda: _figure(stack, shown),
            figure_name=file_name(chosen, shown),
            counted=counted(chosen),
        )
    with top.cell():
        head_panel.facts(stack, chosen, shown)
    with top.cell():
        head_panel.picture(stack, chosen)
    below = st.grid(3, min_column_width=280, gap="medium")
    with below.cell(column_span=2):
        head_list.draw(stack, chosen, shown)
    with below.cell():
        head_panel.strongest(stack, chosen)
    head_profile.draw(stack, chosen)


def _figure(stack: Stack, shown: Numbers) -> "go.Figure":
    return figures.head_map(
        shown.cells,
        shown.means,
        shown.scale,
        name=shown.name,
        unit=shown.unit,
        layers=[layer + 1 for layer in stack.layers],
    )


heading(
    "Which heads connect words and image?",
    "One cell for each attention head of each layer; choose one to see what it does, here and on "
    "the other pages.",
)
trace = session.trace()
chosen = selection.current()
stack = trace.stacks[chosen.stack]
choose_numbers(list(trace.stacks), chosen)
if chosen.view == "vlinterpret" and not vlinterpret.applies_to(stack):
    st.info(
        "VL-InterpreT's statistics are defined for one stream of text followed by patches, and "
        "this model's attention is none. Choose the values or the z-scores.",
        icon=":material/info:",
    )
else:
    draw(stack, chosen)
explain()

"""Heads: which heads stand out on one statistic, all layers at once."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.shared import (
    frame,
    head_choices,
    head_effects,
    head_list,
    head_panel,
    head_profile,
    selection,
    session,
)
from pages.shared.components.head_map import Labels, head_map
from pages.shared.head_numbers import (
    Numbers,
    counted,
    file_name,
    numbers,
    patterns_of,
)
from pages.shared.layout import downloads, escaped, heading, how_to_read
from pages.shared.measured import with_columns, written
from pages.shared.selection import Selection
from vl_core.arrays import HeadMap
from vl_core.figures import heads as figures
from vl_core.head_stats import vlinterpret
from vl_core.head_stats.pattern import MIXED, PATTERNS
from vl_core.head_stats.sheet import as_csv
from vl_core.trace import Stack

if TYPE_CHECKING:
    import plotly.graph_objects as go

frame.guard()

HOW_TO_READ = """
Each cell is one head, each row one layer, the first layer on top; the column beside the map is the
mean over the layer's heads. A head is named after the direction in which it looks: *text-to-image*
means that words are the queries and look at patches as keys. Hatched cells are missing, not zero.

- **Values** are in the statistic's own unit. The colors run from the lowest head to the highest, so
  read the numbers beside the scale before calling a difference large.
- **z-scores** tell how many standard deviations a head lies above or below the mean of all heads.
- **Change** takes the values without the picture from those with it: it puts a blank picture (or
  what is chosen under *Shown to the model*) in the picture's place and asks the same. Red heads did
  more of it for the picture itself, blue ones less; a head near 0 did the same whatever was there.
- **Ablation effects** stand last in the menu. They are no statistics of attention: a head is taken
  out, and the answer is looked at. Red and blue are above and below 0 there, too.
- **As VL-InterpreT computed it** repeats the original tool's seven statistics, faults included.
- **Special tokens** (class, separator) often take up much attention. Without them, their rows and
  columns are dropped and each row is divided by what is left.
- A head's **pattern** is the first of these rules that its numbers meet:
"""


def draw_map(stack: Stack, chosen: Selection, shown: Numbers) -> None:
    """The map itself, or why there is none to see."""
    if shown.is_missing and shown.measured.why_missing:
        st.info(escaped(shown.measured.why_missing), icon=":material/info:")
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
            if lines:
                lines += shown.measured.notes_on(layer, head)
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
        st.caption(escaped(shown.measured.definition))
        downloads(
            "heads",
            csv=lambda: with_columns(as_csv(stack), _further_columns(stack, shown)),
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


def _further_columns(stack: Stack, shown: Numbers) -> dict[str, HeadMap]:
    """What the table of statistics does not have: known effects, and what is on show."""
    found = head_effects.on_type(stack)
    known = {} if found is None else head_effects.columns(found)
    return known | dict(shown.measured.columns)


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
head_choices.draw(list(trace.stacks), chosen)
if chosen.view == "vlinterpret" and not vlinterpret.applies_to(stack):
    st.info(
        "VL-InterpreT's statistics are defined for one stream of text followed by patches, and "
        "this model's attention is none. Choose the values or the z-scores.",
        icon=":material/info:",
    )
else:
    draw(stack, chosen)
explain()

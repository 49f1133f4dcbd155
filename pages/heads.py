"""Heads: which heads stand out on one statistic, all layers at once."""

from typing import TYPE_CHECKING

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
    sink_sentences,
    sinks,
)
from pages.shared.components.head_map import HeadPicture, Hints, Labels, head_map
from pages.shared.head_numbers import (
    Numbers,
    file_name,
    numbers,
    pattern_numbers,
    patterns_called,
    taking_part,
)
from pages.shared.kept_layers import listed
from pages.shared.layout import downloads, escaped, heading, how_to_read
from pages.shared.measured import with_columns
from pages.shared.selection import Selection
from vl_core.arrays import HeadMap
from vl_core.figures import heads as figures
from vl_core.head_stats import vlinterpret
from vl_core.head_stats.sheet import as_csv
from vl_core.trace import Stack, Trace
from vl_core.trace.nouns import common_noun

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
{effects}\
- **As VL-InterpreT computed it** repeats the original tool's seven statistics, faults
  included.
- **Special tokens** (class, separator, what a prompt has around the question) often take up much
  attention. Without them, their rows and columns are dropped and each row is divided by what is
  left.
- A head's **pattern** is the first of these rules that its numbers meet:
"""
EFFECTS = """\
- **Ablation effects** stand last in the menu. They are no statistics of attention: a head is taken
  out, and the answer is looked at. Red and blue are above and below 0 there, too.
"""
# Views that compare with numbers of all tokens: of another picture, of the original tool.
WITH_SINKS = ("change", "vlinterpret")
NOT_KEPT = (
    "What a single head looks at is not shown: the attention of this {part} did not fit the memory "
    "allowed for one analysis{but}. The statistics were measured while the model ran."
)
WIDE = 32  # heads: a map of more takes the width of the page


def draw_map(stack: Stack, chosen: Selection, shown: Numbers) -> None:
    """The map itself, what must be known before it is read, or why there is none to see."""
    if shown.is_missing and shown.measured.why_missing:
        st.info(escaped(shown.measured.why_missing), icon=":material/info:")
    if shown.measured.caution:
        st.info(escaped(shown.measured.caution), icon=":material/block:")
    layers = [layer + 1 for layer in stack.layers]
    labels = Labels(shown.name, shown.unit, layers, file_name(chosen, shown))
    head_map(
        HeadPicture(shown.cells, shown.means, shown.scale, labels, _hints(stack, shown)),
        (chosen.layer, chosen.head),
        lambda layer, head: selection.update(layer=layer, head=head),
    )


def _hints(stack: Stack, shown: Numbers) -> Hints:
    """Under the pointer: the value in its own unit where a z-score is shown, notes, pattern."""
    own = shown.in_own_unit, shown.own_unit
    return Hints(
        [one.name for one in patterns_called(stack)],
        pattern_numbers(stack),
        "lowest" if shown.measured.is_lowest_first else "highest",
        own if shown.cells is shown.z_scores else None,
        shown.measured.notes,
    )


def explain(trace: Trace, stack: Stack) -> None:
    """How to read the page, with the rules behind the patterns' names."""
    called = patterns_called(stack)
    rules = [f"    - *{escaped(one.name)}*: {escaped(one.rule)}" for one in called]
    effects = EFFECTS if head_effects.names(trace) else ""
    how = common_noun(stack.queries, stack.keys).named(HOW_TO_READ)
    how_to_read(how.format(effects=effects) + "\n".join(rules))


def draw(stack: Stack, chosen: Selection) -> None:
    """The map with the selected head beside it, the list, the layers, and all of it to take."""
    shown = numbers(stack, chosen)
    is_wide = stack.n_heads > WIDE
    top = st.grid(3, min_column_width=280, gap="medium")
    with top.cell(column_span=3 if is_wide else 2, row_span=1 if is_wide else 2):
        draw_map(stack, chosen, shown)
        st.caption(escaped(shown.measured.definition))
        downloads(
            "heads",
            csv=lambda: with_columns(as_csv(stack), _further_columns(stack, shown)),
            figure=lambda: _figure(stack, shown),
            figure_name=file_name(chosen, shown),
            counted=taking_part(chosen),
        )
    with top.cell():
        head_panel.facts(stack, chosen, shown)
    seen = head_panel.looks_of(stack, chosen) if chosen.layer in stack.kept_layers else None
    with top.cell():
        if seen:
            head_panel.picture(stack, seen, chosen.statistic)
        else:
            st.info(not_kept(stack), icon=":material/info:")
    below = top if is_wide else st.grid(3, min_column_width=280, gap="medium")
    if not is_wide:
        with below.cell(column_span=2 if seen else 3):
            head_list.draw(stack, chosen, shown)
    if seen:
        with below.cell():
            head_panel.strongest(stack, seen)
    if is_wide:
        head_list.draw(stack, chosen, shown)
    head_profile.draw(stack, chosen)


def not_kept(stack: Stack) -> str:
    """Why it is not shown what a head looks at, and of which layers it is."""
    if not stack.kept_layers:
        return NOT_KEPT.format(part="stack", but="")
    numbers = [stack.layers[layer] for layer in stack.kept_layers]
    kept = f"; that of {listed(numbers, stack.n_layers)} did"
    return NOT_KEPT.format(part="layer", but=kept)


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
head_choices.draw(trace, chosen)
if chosen.view == "vlinterpret" and not vlinterpret.applies_to(stack):
    st.info(
        "VL-InterpreT's statistics are defined for one stream of text followed by patches, and "
        "this model's attention is none. Choose the values or the z-scores.",
        icon=":material/info:",
    )
elif chosen.view in WITH_SINKS or not stack.is_kept:
    draw(stack, chosen)
else:
    without = sinks.choice(trace, stack)
    sink_sentences.of_heads(without, chosen.layer, chosen.head)
    draw(without.stack, chosen)
explain(trace, stack)

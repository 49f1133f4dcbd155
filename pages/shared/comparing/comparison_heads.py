"""All heads in A, in B, and B minus A: three maps, and the heads that differ most."""

import numpy as np
import pandas as pd
import streamlit as st

from pages.shared import selection
from pages.shared.comparing.comparison_pair import LETTERS, Pair
from pages.shared.components.head_map import HeadPicture, Hints, Labels, head_map
from pages.shared.head_list import number_format
from pages.shared.layout import downloads, escaped
from pages.shared.measured import Notes, written
from pages.shared.selection import Selection
from pages.shared.stack_names import all_called
from vl_core import comparison, head_stats
from vl_core.arrays import HeadMap
from vl_core.comparison_tables import heads_as_csv
from vl_core.counted import counted
from vl_core.figures import comparison as figures
from vl_core.head_stats import HeadStatistic, views
from vl_core.head_stats.meaning import telling_statistic, why_missing
from vl_core.trace import Stack, Trace

MAP = 290  # pixels, the least that a map takes
NAMES = (*LETTERS, figures.DIFFERENCE)
FILES = ("a", "b", "difference")
LISTED = 10
NARROW = 64  # pixels of a column of small numbers
MENU_WIDTH = 290  # pixels; the longest name fits


def choose(trace: Trace, chosen: Selection) -> None:
    """Whose attention, which statistic, with special tokens or without: as on the heads page."""
    known = {one.key: one.name for one in head_stats.all_statistics()}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        if len(trace.stacks) > 1:
            names = all_called(trace)
            st.session_state["compare_stack"] = chosen.stack
            st.selectbox(
                "Attention of",
                list(names),
                format_func=names.__getitem__,
                key="compare_stack",
                on_change=lambda: selection.choose_stack(st.session_state["compare_stack"]),
                width=MENU_WIDTH,
            )
        st.session_state["compare_statistic"] = statistic(trace.stacks[chosen.stack], chosen).key
        st.selectbox(
            "Statistic",
            list(known),
            format_func=known.__getitem__,
            key="compare_statistic",
            on_change=lambda: selection.update(statistic=st.session_state["compare_statistic"]),
            width=MENU_WIDTH,
        )
        st.session_state["compare_specials"] = chosen.specials
        st.toggle(
            "Count special tokens",
            key="compare_specials",
            on_change=lambda: selection.update(specials=st.session_state["compare_specials"]),
        )


def statistic(stack: Stack, chosen: Selection) -> HeadStatistic:
    """What is chosen; what tells most of the stack where that is no statistic of attention."""
    known = {one.key: one for one in head_stats.all_statistics()}
    return known.get(chosen.statistic) or telling_statistic(stack)


def draw(pair: Pair, chosen: Selection) -> None:
    """Three maps, the heads that differ most, and all of it to take away."""
    stack = pair.traces[1].stacks[chosen.stack]
    one = statistic(stack, chosen)
    values = pair.remembered(
        ("heads in both", chosen.stack, one.key, chosen.specials),
        lambda: comparison.heads_in_both(
            *pair.traces, one, chosen.stack, with_specials=chosen.specials
        ),
    )
    for side, shown in enumerate(values):
        if not np.isfinite(shown).any():
            why = why_missing(one, pair.traces[side].stacks[chosen.stack])
            st.info(escaped(f"{LETTERS[side]} has no value. {why}"), icon=":material/info:")
    _maps(stack, chosen, one, values)
    st.caption(escaped(f"{one.definition} In {one.unit}."))
    columns = st.grid(3, min_column_width=MAP, gap="medium")
    with columns.cell(column_span=2):
        _list(stack, chosen, values, f"{pair.name}_{stack.name}_{one.key}_{chosen.specials}")
    with columns.cell():
        _facts(stack, chosen, one, values)
    layers = [layer + 1 for layer in stack.layers]
    downloads(
        "comparison-heads",
        csv=lambda: heads_as_csv(stack.layers, *values),
        figure=lambda: figures.head_maps(*values, name=one.name, unit=one.unit, layers=layers),
        figure_name=f"comparison-heads-{one.key}",
        counted=pair.said() + ("" if chosen.specials else " · without special tokens"),
    )


def _maps(
    stack: Stack, chosen: Selection, one: HeadStatistic, values: tuple[HeadMap, HeadMap]
) -> None:
    shared, difference = figures.heads_scale(*values), figures.heads_difference_scale(*values)
    shown = (*values, values[1] - values[0])
    grid = st.grid(3, min_column_width=MAP, gap="small", key="comparison_maps")
    for side, (cells, scale) in enumerate(zip(shown, (shared, shared, difference), strict=True)):
        notes = Notes(("{0} in A, {1} in B",), numbers=values) if side == 2 else None
        # Patterns belong to one example; beside two of them their names say nothing.
        first = "largest" if side == 2 else "highest"
        hints = Hints([""], np.zeros(cells.shape, int), first, notes=notes)
        with grid.cell():
            head_map(
                HeadPicture(
                    cells, views.layer_means(cells), scale, _labels(stack, one, side), hints
                ),
                (chosen.layer, chosen.head),
                lambda layer, head: selection.update(layer=layer, head=head),
                key=f"compare_{FILES[side]}",
            )


def _labels(stack: Stack, one: HeadStatistic, side: int) -> Labels:
    name = NAMES[side]
    unit = f"{one.unit}, {name}" if side == 2 else one.unit
    layers = [layer + 1 for layer in stack.layers]
    return Labels(f"{name}: {one.name}", unit, layers, f"comparison-{one.key}-{FILES[side]}")


def _list(stack: Stack, chosen: Selection, values: tuple[HeadMap, HeadMap], numbers: str) -> None:
    """The ten heads that differ most; choosing a row selects its head everywhere.

    numbers: whose they are. A list keeps its row, which would be another head among others.
    """
    key = f"compare_list_{numbers}"
    differences = values[1] - values[0]
    order = _by_size(differences)[:LISTED]
    several = "head that differs" if len(order) == 1 else f"{len(order)} heads that differ"
    st.markdown(f"**The {several} most**, in either direction")
    places = [divmod(int(place), stack.n_heads) for place in order]

    def keep() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows:
            layer, head = places[rows[0]]
            selection.update(layer=layer, head=head)

    now = [row for row, place in enumerate(places) if place == (chosen.layer, chosen.head)]
    st.session_state[key] = {"selection": {"rows": now, "columns": [], "cells": []}}
    table = {
        "layer": [stack.layers[layer] + 1 for layer, _ in places],
        "head": [head + 1 for _, head in places],
    }
    shown = dict(zip(NAMES, (*values, differences), strict=True))
    table |= {name: [cells[place] for place in places] for name, cells in shown.items()}
    st.dataframe(
        pd.DataFrame(table),
        key=key,
        hide_index=True,
        on_select=keep,
        selection_mode="single-row",
        column_config={
            **{name: st.column_config.NumberColumn(width=NARROW) for name in ("layer", "head")},
            **{
                name: st.column_config.NumberColumn(
                    format=number_format(cells, is_signed=name == figures.DIFFERENCE)
                )
                for name, cells in shown.items()
            },
        },
        alt="The heads that differ most between A and B",
    )


def _by_size(differences: HeadMap) -> np.ndarray:
    """The heads, counted through all layers, the greatest difference first; no missing ones."""
    sizes = np.abs(differences).ravel()
    order = np.argsort(-sizes, kind="stable")  # what is missing comes last
    return order[: int(np.isfinite(sizes).sum())]


def _facts(
    stack: Stack, chosen: Selection, one: HeadStatistic, values: tuple[HeadMap, HeadMap]
) -> None:
    """The selected head in numbers, and how far heads differ at all."""
    layer, head = chosen.layer, chosen.head
    who = f"layer {stack.layers[layer] + 1}, "
    who += f"mean of its {counted(stack.n_heads, 'head')}" if head is None else f"head {head + 1}"
    mine, its = (
        float(views.layer_means(cells)[layer] if head is None else cells[layer, head])
        for cells in values
    )
    st.markdown(
        f"**{who[0].upper()}{who[1:]}**  \n"
        f"A {escaped(written(mine))} · B {escaped(written(its))} · "
        f"B − A **{escaped(signed(its - mine))}** {escaped(one.unit)}"
    )
    sizes = np.abs(values[1] - values[0])
    if np.isfinite(sizes).any():
        middle, most = float(np.nanmedian(sizes)), float(np.nanmax(sizes))
        st.caption(
            escaped(
                f"Half of the heads differ by less than {written(middle)}, the most by "
                f"{written(most)} {one.unit}. This is one example beside one other: there is no "
                "test behind it, and another pair may differ otherwise."
            )
        )


def signed(value: float) -> str:
    """A difference for reading: three significant digits with their sign."""
    return f"{'+' if value > 0 else ''}{written(value)}"

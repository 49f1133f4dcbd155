"""All heads in a list, the remarkable first, one of which can be chosen."""

import numpy as np
import pandas as pd
import streamlit as st

from pages.shared import selection, session
from pages.shared.head_numbers import Numbers, patterns_of
from pages.shared.selection import Selection
from vl_core.arrays import HeadMap
from vl_core.trace import Stack

HEIGHT = 500  # pixels, as much as the two tables beside it
COUNTS = ("layer", "head", "rank")
NARROW = 64  # pixels; the rest is for the pattern's name


def draw(stack: Stack, chosen: Selection, shown: Numbers) -> None:
    """The list with the selected head marked; choosing a row selects its head everywhere."""
    first = "lowest" if shown.measured.is_lowest_first else "highest"
    st.markdown(f"**All heads**, {first} first. Choose a row to select the head.")
    order = np.argsort(-shown.precedence, axis=None, kind="stable")  # what is missing comes last
    # A new list for other numbers, or a row kept from before would choose another head.
    key = f"heads_list_{session.trace_id()}_{stack.name}_{shown.name}_{chosen.specials}"

    def keep() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows:
            layer, head = divmod(int(order[rows[0]]), stack.n_heads)
            selection.update(layer=layer, head=head)

    st.session_state[key] = {
        "selection": {"rows": _row(order, stack, chosen), "columns": [], "cells": []}
    }
    st.dataframe(
        _table(stack, shown).iloc[order],
        key=key,
        hide_index=True,
        on_select=keep,
        selection_mode="single-row",
        height=HEIGHT,
        column_config={
            **{name: st.column_config.NumberColumn(width=NARROW) for name in COUNTS},
            "value": st.column_config.NumberColumn(
                format=_format(shown.in_own_unit), help=f"In {shown.own_unit}"
            ),
            "z": st.column_config.NumberColumn("z-score", format="%.2f", width=NARROW),
        },
        alt=f"{shown.name}: all heads, {first} first",
    )


def _row(order: np.ndarray, stack: Stack, chosen: Selection) -> list[int]:
    """Where the selected head stands in the list; nowhere for a layer's mean."""
    if chosen.head is None:
        return []
    place = chosen.layer * stack.n_heads + chosen.head
    return [int(np.flatnonzero(order == place)[0])]


def _table(stack: Stack, shown: Numbers) -> pd.DataFrame:
    """One row for each head, layer by layer."""
    layers, heads = np.indices(shown.cells.shape).reshape(2, -1)
    named = patterns_of(stack)
    columns = {
        "layer": [stack.layers[layer] + 1 for layer in layers],
        "head": heads + 1,
        "value": shown.in_own_unit.ravel(),
        "z": None if shown.z_scores is None else shown.z_scores.ravel(),
        "rank": pd.array(shown.ranks.ravel(), "Int64"),
        "pattern": [named[layer][head].name for layer, head in zip(layers, heads, strict=True)],
    }
    table = pd.DataFrame({name: column for name, column in columns.items() if column is not None})
    return table.replace({"rank": {0: pd.NA}})


def _format(values: HeadMap) -> str:
    """As many decimals as show four digits of the greatest value."""
    greatest = np.nanmax(np.abs(values), initial=0)
    decimals = 3 - int(np.floor(np.log10(greatest))) if greatest > 0 else 3
    return f"%.{max(0, min(decimals, 8))}f"

"""All heads in a list, the remarkable first, one of which can be chosen."""

import numpy as np
import pandas as pd
import streamlit as st

from pages.shared import selection, session
from pages.shared.head_numbers import Numbers, pattern_numbers, patterns_called
from pages.shared.selection import Selection
from vl_core.arrays import HeadMap
from vl_core.trace import Stack

LISTED = 400  # more rows than that nobody reads; all heads are in the table to take away
HEIGHT = 500  # pixels, as much as the two tables beside it
# Pixels: with these no pattern about patches is cut, and the list fits a page 800 wide; where there
# is more room, all columns share it. The order of the rows tells the rank.
WIDTHS = {"layer": 50, "head": 50, "value": 84, "z": 64, "pattern": 184}


def draw(stack: Stack, chosen: Selection, shown: Numbers) -> None:
    """The list with the selected head marked; choosing a row selects its head everywhere."""
    first = "lowest" if shown.measured.is_lowest_first else "highest"
    order = np.argsort(-shown.precedence, axis=None, kind="stable")  # what is missing comes last
    title = "All heads"
    if len(order) > LISTED:
        title, order = f"The first {LISTED} of {len(order):,} heads", order[:LISTED]
    st.markdown(f"**{title}**, {first} first. Choose a row to select the head.")
    # A new list for other numbers, or a row kept from before would choose another head.
    key = f"heads_list_{session.trace_id()}_{stack.name}_{shown.name}_{chosen.specials}"

    def keep() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows:
            layer, head = divmod(int(order[rows[0]]), stack.n_heads)
            selection.update(layer=layer, head=head)

    number = st.column_config.NumberColumn
    st.session_state[key] = {
        "selection": {"rows": _row(order, stack, chosen), "columns": [], "cells": []}
    }
    st.dataframe(
        _table(stack, shown, order),
        key=key,
        hide_index=True,
        on_select=keep,
        selection_mode="single-row",
        height=HEIGHT,
        column_config={
            "layer": number(width=WIDTHS["layer"]),
            "head": number(width=WIDTHS["head"]),
            "value": number(
                format=number_format(shown.in_own_unit),
                help=f"In {shown.own_unit}",
                width=WIDTHS["value"],
            ),
            "z": number("z-score", format="%.2f", width=WIDTHS["z"]),
            "pattern": st.column_config.TextColumn(width=WIDTHS["pattern"]),
        },
        alt=f"{shown.name}: {title.lower()}, {first} first",
    )


def _row(order: np.ndarray, stack: Stack, chosen: Selection) -> list[int]:
    """Where the selected head stands in the list; nowhere for a layer's mean or beyond its end."""
    if chosen.head is None:
        return []
    place = chosen.layer * stack.n_heads + chosen.head
    return np.flatnonzero(order == place).tolist()


def _table(stack: Stack, shown: Numbers, order: np.ndarray) -> pd.DataFrame:
    """One row for each of these heads, which are counted through all layers."""
    layers, heads = np.divmod(order, stack.n_heads)
    called = patterns_called(stack)
    columns = {
        "layer": np.array(stack.layers)[layers] + 1,
        "head": heads + 1,
        "value": shown.in_own_unit[layers, heads],
        "z": None if shown.z_scores is None else shown.z_scores[layers, heads],
        "pattern": [called[one].name for one in pattern_numbers(stack)[layers, heads]],
    }
    return pd.DataFrame({name: column for name, column in columns.items() if column is not None})


def number_format(values: HeadMap, *, is_signed: bool = False) -> str:
    """As many decimals as show four digits of the greatest value; is_signed: with a plus, too."""
    greatest = np.nanmax(np.abs(values), initial=0)
    decimals = 3 - int(np.floor(np.log10(greatest))) if greatest > 0 else 3
    return f"%{'+' if is_signed else ''}.{max(0, min(decimals, 8))}f"

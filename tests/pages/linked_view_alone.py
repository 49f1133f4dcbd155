"""A page with nothing but the linked view, for its browser tests."""

import time
from dataclasses import replace
from typing import Any

import streamlit as st

from pages.shared.components.linked_view import linked_view
from pages.shared.selection import Selection
from tests.builders import random_example, random_stack, random_tokens
from vl_core.trace import Stack, TokenTable

START = {"layer": 1, "all_layers": False, "head": 2, "direction": "looks_at", "tokens": (4,)}
BY_PYTHON = {
    "layer": 2,
    "all_layers": False,
    "head": None,
    "direction": "looked_at_by",
    "tokens": (1, 9),
}
SLOW = 0.8  # seconds of a run when the address asks for it: longer than a visitor's next click


def tokens() -> TokenTable:
    """[CLS] is the red <b>star</b> left [SEP] and 2 x 3 patches; "left" is unknown."""
    table = random_tokens(n_text=5)
    texts = [text.replace("star", "<b>star</b>") for text in table.texts]
    return replace(table, texts=tuple(texts))


def stack() -> Stack:
    """Three layers of five heads."""
    return random_stack(5, queries=tokens())


def choose(choice: dict[str, Any]) -> None:
    """What a page does with a choice: keep it."""
    st.session_state["choice"] = choice


def main() -> None:
    """Draw the view, what Python has heard, and a button by which Python chooses."""
    if "slow" in st.query_params:
        time.sleep(SLOW)
    now = st.session_state.setdefault("choice", START)
    linked_view("alone", random_example(), stack(), Selection("encoder", **now), choose)
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    st.text(f"heard {now}")
    st.text(f"run {st.session_state['runs']}")
    st.button("Python chooses", on_click=choose, args=(BY_PYTHON,))


if __name__ == "__main__":
    main()

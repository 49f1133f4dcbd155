"""A page with nothing but the linked view, for its browser tests.

The address may name one of SUBJECTS, and ask for slow runs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from pages.shared.components.linked_view import linked_view
from pages.shared.selection import Selection
from tests.builders import random_example, random_stack, random_tokens, random_two_stream_trace
from tests.decoders import decoder_trace
from vl_core.structure import can_predict
from vl_core.trace import Stack, TokenTable, Trace, TracedExample

NOTHING = {
    "layer": 0,
    "all_layers": False,
    "head": 0,
    "direction": "looks_at",
    "position": "predicts",
    "picture_view": "",
    "tokens": (),
    "keys": (),
}
START = NOTHING | {"layer": 1, "head": 2, "tokens": (4,)}
BY_PYTHON = NOTHING | {"layer": 2, "head": None, "direction": "looked_at_by", "tokens": (1, 9)}
SLOW = 0.8  # seconds of a run when the address asks for it: longer than a visitor's next click


def tokens() -> TokenTable:
    """[CLS] is the red <b>star</b> left [SEP] and 2 x 3 patches; "left" is unknown."""
    table = random_tokens(n_text=5)
    texts = [text.replace("star", "<b>star</b>") for text in table.texts]
    return replace(table, texts=tuple(texts))


def stack() -> Stack:
    """Three layers of five heads."""
    return random_stack(5, queries=tokens())


def long_trace() -> Trace:
    """A decoder of 2,000 tokens with 24 heads, which share 8 sets of keys."""
    return decoder_trace(
        whole=(20, 26),
        tiles=(30, 40),
        question="is the red star left of it " * 35 + "?",
        layers=2,
        heads=24,
        key_heads=8,
        dim=64,
        size=(640, 480),
    )


def large_trace() -> Trace:
    """A decoder with 64 heads, one layer of which is more than a browser is given."""
    return decoder_trace(
        whole=(10, 12),
        tiles=(20, 25),
        layers=2,
        heads=64,
        key_heads=64,
        dim=128,
        size=(640, 480),
    )


def undecodable() -> Stack:
    """A decoder whose answer has long texts; and two words of its question are alike."""
    made = decoder_trace().stacks["language"]
    places = np.flatnonzero(made.queries.is_generated).tolist()
    texts = list(made.queries.texts)
    unknown = "\N{REPLACEMENT CHARACTER}" * 60
    for number, place in enumerate(places):
        texts[place] = f"{unknown} ({number + 1}/{len(places)})"
    texts[texts.index("star")] = "red"
    return with_tokens(made, replace(made.queries, texts=tuple(texts)))


def of_regions() -> Stack:
    """What looks at two regions of a detector, which cover half of the picture."""
    table = random_tokens(rows=1, columns=2)
    texts = [text.replace("patch 1, ", "region ") for text in table.texts]
    boxes = table.boxes * np.array([1, 0.5, 1, 0.5])
    return random_stack(4, queries=replace(table, texts=tuple(texts), boxes=boxes))


def tiles_first() -> Stack:
    """A decoder that is shown tiles first, then the whole picture."""
    made = decoder_trace().stacks["language"]
    swapped = {"whole picture": "tiles", "tiles": "whole picture", "": ""}
    views = tuple(swapped[view] for view in made.queries.views)
    return with_tokens(made, replace(made.queries, views=views))


def with_tokens(made: Stack, table: TokenTable) -> Stack:
    """The stack of a stream that looks at itself, with another table of it."""
    return replace(made, queries=table, keys=table)


@dataclass(frozen=True)
class Subject:
    """What the view is shown with."""

    example: TracedExample
    stack: Stack
    start: dict[str, Any]
    offers_position: bool = False


def part(make: Callable[[], Trace], name: str, **start: object) -> Subject:
    """One stack of a trace."""
    trace = make()
    shown = trace.stacks[name]
    return Subject(trace.example, shown, NOTHING | start, can_predict(trace, shown))


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "": lambda: Subject(random_example(), stack(), START),
    "across": lambda: part(decoder_trace, "language<-vision"),
    "tower": lambda: part(decoder_trace, "vision"),
    "decoder": lambda: part(decoder_trace, "language"),
    "undecodable": lambda: Subject(
        decoder_trace().example, undecodable(), NOTHING, offers_position=True
    ),
    "regions": lambda: Subject(random_example(), of_regions(), NOTHING),
    "tiles first": lambda: Subject(decoder_trace().example, tiles_first(), NOTHING),
    "windows": lambda: part(random_two_stream_trace, "vision"),
    "text": lambda: part(random_two_stream_trace, "language"),
    "long": lambda: part(long_trace, "language", tokens=(1760,)),
    "large": lambda: part(large_trace, "language", tokens=(644,)),
}


def choose(choice: dict[str, Any]) -> None:
    """What a page does with a choice: keep it."""
    st.session_state["choice"] = choice


def main() -> None:
    """Draw the view, what Python has heard, and a button by which Python chooses."""
    if "slow" in st.query_params:
        time.sleep(SLOW)
    name = st.query_params.get("subject", "")
    shown = SUBJECTS[name]()
    now = st.session_state.setdefault("choice", shown.start)
    linked_view(
        f"alone{name}",
        shown.example,
        shown.stack,
        Selection(shown.stack.name, **now),
        choose,
        offers_position=shown.offers_position,
    )
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    st.text(f"heard {now}")
    st.text(f"run {st.session_state['runs']}")
    st.button("Python chooses", on_click=choose, args=(BY_PYTHON,))


if __name__ == "__main__":
    main()

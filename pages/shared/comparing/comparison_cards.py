"""What A and B are: picture, text, what the model said, and the ways to change either."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby, pairwise

import numpy as np
import streamlit as st

from pages.shared import files, said, session
from pages.shared.comparing import pinned
from pages.shared.comparing.comparison_pair import LETTERS, Pair
from pages.shared.data_sets import set_show, sets
from pages.shared.data_sets.set_picture import boxed
from pages.shared.layout import escaped, picture_called
from pages.shared.requests import Request
from vl_core.matched_tokens import matched_tokens
from vl_core.trace import TokenTable, Trace

WIDTH = 150  # pixels of a picture
FEW = 8  # candidates that fit a row of buttons
MARK = ":blue-background["
STANDING = ("pinned", "on show")


def draw(pair: Pair, pins: Mapping[str, tuple[int, ...]]) -> None:
    """Both side by side, and what changes them.

    pins: where the chosen words stand in A, by the selection's field.
    """
    grid = st.grid(2, min_column_width=300, gap="small", border=True, key="comparison_cards")
    texts = _marked_texts(pair)
    for side in (0, 1):
        with grid.cell():
            _card(pair, side, texts[side])
            if side:
                _other_options(*pair.requests)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Swap A and B",
            icon=":material/swap_horiz:",
            key="swap",
            on_click=pinned.swap,
            args=(pins,),
            disabled=pair.requests[0] == pair.requests[1],
        )
        st.button(
            "Unpin A",
            icon=":material/keep_off:",
            key="unpin",
            on_click=pinned.unpin,
            type="tertiary",
        )
        if any(MARK in text for text in texts):
            st.caption("Marked are words that only one of them has.", width="content")


def _card(pair: Pair, side: int, text: str) -> None:
    request, trace = pair.requests[side], pair.traces[side]
    with st.container(horizontal=True, gap="medium"):
        picture = _picture(request, trace)
        if picture is not None:
            st.image(picture, alt=f"The picture of {LETTERS[side]}", width=WIDTH)
        with st.container(width="stretch", gap="xsmall"):
            st.markdown(f"**{LETTERS[side]}** :gray[· {STANDING[side]}]")
            st.markdown(text)
            answer, share = said.answer(trace.prediction)
            number = f" :gray[({escaped(share)})]" if share else ""
            st.markdown(f"{_verb(trace)}: **{escaped(answer)}**{number}")
            st.caption(escaped(f"{_place(request)} · {request.model}"))


def _verb(trace: Trace) -> str:
    return "How well it fits" if trace.prediction.kind == "score" else "The model answers"


def _place(request: Request) -> str:
    which = set_show.said(request) if request.source == "set" else ""
    return ", ".join(filter(None, [picture_called(request), which]))


def _picture(request: Request, trace: Trace) -> bytes | str | None:
    """A small picture as the model was shown it, with a set's boxes on it; None without one."""
    example = trace.example
    original, size = example.picture, example.original_size
    if original is None or size is None:
        return None
    if request.source == "set" and example.regions:
        return session.preview(
            ("compared", request), lambda: boxed(original, size, example.regions, WIDTH)
        )
    return session.preview(
        ("compared", request),
        lambda: files.thumbnail(original.copy()),
        is_private=request.is_private,
    )


def _marked_texts(pair: Pair) -> tuple[str, str]:
    """Both texts as Markdown, with a background to the words that the other one has not."""
    one, other = (_words(trace) for trace in pair.traces)
    pairs = matched_tokens(one, other)
    first, second = (
        _marked(trace.example.text, table, np.setdiff1d(np.flatnonzero(table.is_text), common))
        for trace, table, common in zip(pair.traces, (one, other), pairs.T, strict=True)
    )
    return first, second


def _words(trace: Trace) -> TokenTable:
    """The first table with words."""
    tables = [stream.tokens for stream in trace.streams.values()]
    return next((table for table in tables if table.is_text.any()), tables[0])


def _marked(text: str, tokens: TokenTable, alone: np.ndarray) -> str:
    is_alone = np.zeros(len(text), bool)
    for start, end in tokens.spans[alone[~tokens.is_generated[alone]]]:
        is_alone[max(0, start) : max(0, end)] = True
    for start, end in _gaps(is_alone):
        is_alone[start:end] |= text[start:end].isspace()
    runs = groupby(range(len(text)), key=is_alone.__getitem__)
    parts = [(mark, escaped("".join(text[i] for i in run))) for mark, run in runs]
    return "".join(f"{MARK}{part}]" if mark else part for mark, part in parts)


def _gaps(is_marked: np.ndarray) -> list[tuple[int, int]]:
    """Where what is not marked lies between what is: beginnings, and ends past the last."""
    places = np.flatnonzero(is_marked)
    return [(one + 1, other) for one, other in pairwise(places.tolist()) if other > one + 1]


def _other_options(one: Request, shown: Request) -> None:
    """The other candidates or sources of the question on show, each a click away."""
    if shown.source != "set" or shown.question:
        return
    asked = sets.asked(shown.name, shown.place)
    if len(asked.options) < 2:
        return

    def called(option: int) -> str:
        is_pinned = replace(shown, place=replace(shown.place, option=option)) == one
        is_right = option in (asked.right or ())
        return f"{option + 1}{' (A)' if is_pinned else ''}{' ✓' if is_right else ''}"

    def choose() -> None:
        place = replace(shown.place, option=st.session_state["compare_option"])
        pinned.show(replace(shown, place=place))

    st.session_state["compare_option"] = shown.place.option
    what = "Source" if asked.name == sets.SOURCES else "Candidate"
    help_ = "✓ is right. (A) is pinned." if asked.right else "(A) is pinned."
    options = list(range(len(asked.options)))
    if len(options) <= FEW:
        st.segmented_control(
            what,
            options,
            format_func=called,
            key="compare_option",
            required=True,
            on_change=choose,
            help=help_,
        )
    else:
        st.selectbox(
            what,
            options,
            format_func=called,
            key="compare_option",
            on_change=choose,
            help=help_,
        )

"""Whose hidden states are shown: of the stack that is selected everywhere, if they were kept."""

import streamlit as st

from pages.shared import selection
from pages.shared.layout import escaped
from pages.shared.selection import Selection
from pages.shared.stack_names import own_stack
from vl_core.trace import Stream, Trace

NOT_KEPT = (
    "No hidden states were kept: they did not fit the memory allowed for one analysis. Choose a "
    "smaller picture, or allow more memory."
)

NOT_BROUGHT = "These tensors came with attention alone: they have no hidden states to show."


def chosen_stream(trace: Trace, chosen: Selection) -> Stream | None:
    """The stream whose states are shown; a chooser where several have some.

    None where none were kept at all, which is said.
    """
    kept = [name for name, stream in trace.streams.items() if len(stream.scales)]
    wanted = trace.stacks[chosen.stack].query_stream
    if not kept:
        was_brought = not trace.provenance.family  # by no model that ran here
        st.info(NOT_BROUGHT if was_brought else NOT_KEPT, icon=":material/info:")
        return None
    if wanted not in kept:
        st.info(
            f"No hidden states were kept of the stream “{escaped(wanted)}”; shown are those of "
            f"“{escaped(kept[0])}”.",
            icon=":material/info:",
        )
        wanted = kept[0]
    offered = [name for name in kept if own_stack(trace, name)]
    if len(offered) > 1:
        st.session_state["chosen_stream"] = wanted
        st.segmented_control(
            "Hidden states of",
            offered,
            format_func=lambda name: escaped(name[:1].upper() + name[1:]),
            required=True,
            key="chosen_stream",
            on_change=lambda: _choose(trace, st.session_state["chosen_stream"]),
        )
    return trace.streams[wanted]


def select(trace: Trace, stream: Stream, tokens: tuple[int, ...], state: int) -> None:
    """Select tokens of the stream on show, for all pages; then these are about its stack.

    A stream without attention of its own has no place on the other pages: nothing is selected.
    """
    if own_stack(trace, stream.name) is None:
        return
    if trace.stacks[selection.current().stack].query_stream != stream.name:
        _choose(trace, stream.name)
    selection.update(tokens=tokens, state=state)


def _choose(trace: Trace, name: str) -> None:
    stack = own_stack(trace, name)
    if stack is not None:
        selection.choose_stack(stack)

"""Sinks on a page: which there are, and the choice to leave them out.

A page draws `choice`, works with the stack that it returns, and says with `sink_sentences` what the
sinks take. Nothing is left out unless the visitor chose it, and then it is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.shared import session
from pages.shared.layout import escaped
from vl_core import sinks
from vl_core.counted import counted
from vl_core.sinks import KINDS, MEASURED, SinkKind, Sinks
from vl_core.trace import Stack, Trace
from vl_core.trace.nouns import image_noun

SHOWN, LEFT_OUT = "shown", "left out"
MODES = {SHOWN: "Shown", LEFT_OUT: "Left out"}
MOST_WEIGHTS = 2**26  # gone through without being asked to: some seconds
NONE = "No token is a sink by any rule here."
NONE_YET = "No token is a sink here by the rules that were tried."


@dataclass(frozen=True, eq=False)
class Shown:
    """What a page shows: the stack to work with, and the sinks that are in it or left out of it.

    whole: the stack with its sinks. kinds: those that are left out, or all that there are.
    """

    stack: Stack
    whole: Stack
    sinks: Sinks
    kinds: tuple[SinkKind, ...]

    @property
    def is_left_out(self) -> bool:
        """Whether any token is."""
        return self.stack is not self.whole


def choice(trace: Trace, stack: Stack) -> Shown:
    """The control, and what follows from it; drawn above whatever shows the stack."""
    found = session.remembered(("sinks", stack.name), lambda: sinks.find(trace, stack.name))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        offered = _offered(stack)
        present = _present(found, offered)
        mode = st.segmented_control(
            "Sinks",
            list(MODES),
            format_func=MODES.get,
            default=SHOWN,
            key="sinks",
            required=True,
            persist_state="session",
            disabled=not present,
            help="Tokens that take attention whatever is asked, and special tokens, whatever they "
            "take. Left out, nobody looks at them: each row is divided by what is left of it.",
        )
        if not present:
            st.caption(NONE if offered == KINDS else NONE_YET, width="content")
        kinds = present
        if mode == LEFT_OUT and len(present) > 1:
            kinds = _chosen_kinds(present)
        with st.popover("Rules", icon=":material/rule:"):
            st.markdown(rules(found, offered))
    if mode == SHOWN or not kinds:
        return Shown(stack, stack, found, present if mode == SHOWN else ())
    return Shown(_without(stack, found, kinds), stack, found, kinds)


def _offered(stack: Stack) -> tuple[SinkKind, ...]:
    """The rules that are tried: what goes through all attention of a large stack only if asked."""
    if int(np.prod(stack.weights.shape, dtype=np.int64)) <= MOST_WEIGHTS:
        return KINDS
    is_wanted = st.checkbox(
        "Measure every token",
        key="sinks_measured",
        help="Goes through the attention of all layers and heads, which takes a while here.",
    )
    return KINDS if is_wanted else tuple(kind for kind in KINDS if kind is not MEASURED)


def _present(found: Sinks, offered: tuple[SinkKind, ...]) -> tuple[SinkKind, ...]:
    with st.spinner("Looking for sinks", show_time=True):
        return found.present(offered)


def _chosen_kinds(present: tuple[SinkKind, ...]) -> tuple[SinkKind, ...]:
    names = {kind.key: kind.plural for kind in present}
    # Those of another stack would be an error to this one's widget.
    kept = [key for key in st.session_state.get("sink_kinds", names) if key in names]
    st.session_state["sink_kinds"] = kept
    chosen = st.pills(
        "Left out are",
        [kind.key for kind in present],
        format_func=names.get,
        selection_mode="multi",
        key="sink_kinds",
    )
    return tuple(kind for kind in present if kind.key in chosen)


def _without(stack: Stack, found: Sinks, kinds: tuple[SinkKind, ...]) -> Stack:
    # Results are remembered by the name of a stack: what differs must not share one.
    name = f"{stack.name} without {', '.join(kind.key for kind in kinds)} sinks"
    return session.remembered(
        ("sinks left out", name), lambda: sinks.without(stack, found.keys(kinds), name)
    )


def rules(found: Sinks, offered: Sequence[SinkKind]) -> str:
    """Each rule with its definition and source, and what it found in this stack, as Markdown."""
    called = image_noun(found.stack.keys).named
    lines = []
    for kind in KINDS:
        what = called(f"{kind.definition} *{_found(found, kind, offered)}*")
        lines.append(f"- **{kind.name.capitalize()}**: {what} Source: {kind.source}.")
    return "\n".join(lines)


def _found(found: Sinks, kind: SinkKind, offered: Sequence[SinkKind]) -> str:
    if kind not in offered:
        return "Not measured here yet."
    if reason := found.found(kind).why_none:
        return f"None by this rule. {escaped(reason)}"
    keys = found.found(kind).keys
    count, layers = int(keys.any(axis=0).sum()), int(keys.any(axis=1).sum())
    return f"{count} here, in {layers} of {counted(len(keys), 'layer')}."

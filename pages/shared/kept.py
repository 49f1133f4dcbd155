"""What an analysis will keep, told before it runs."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import session, settings
from pages.shared.kept_layers import listed
from pages.shared.layout import escaped
from pages.shared.requests import Request, Upload
from vl_core.checkpoints import EMBEDDED_NAME, readable
from vl_core.errors import VLError

if TYPE_CHECKING:
    from vl_core.capture import Estimate, Plan


def foreseen(asked: Request, upload: Upload | None) -> "Estimate | VLError | None":
    """What an analysis would keep, or why the model cannot read the example.

    None of the embedded model, whose analyses are small, and where nothing is asked.
    """
    is_empty = not asked.question.strip() and asked.source != "set"  # those bring their own text
    if asked.model == EMBEDDED_NAME or is_empty:
        return None
    try:
        return session.estimate(asked, upload)
    except VLError as error:
        return error


def tell(found: "Estimate | VLError | None") -> None:
    """What was foreseen: how much memory it takes and what has no room, or why nothing is read."""
    if found is None:
        return
    if isinstance(found, VLError):
        st.warning(escaped(str(found)), icon=":material/info:")
        return
    from vl_core.capture import Plan  # noqa: PLC0415 it brings torch, as the model has done

    budget = settings.trace_bytes()
    st.caption(escaped(said(found, Plan.within(budget, found), budget)))


def said(estimate: "Estimate", plan: "Plan", budget: int) -> str:
    """What is kept of how much."""
    attention = _stacks_missing(estimate, plan)
    states = [f"“{name}”" for name in estimate.streams if name not in plan.streams]
    if not attention and not states:
        return f"Keeps up to {readable(estimate.total)} of memory."
    missing = " and ".join(
        f"the {what} of {', '.join(names)}"
        for what, names in (("attention", attention), ("hidden states", states))
        if names
    )
    return (
        f"All of it would keep up to {readable(estimate.total)}; {readable(budget)} are allowed "
        f"for one analysis. Not kept: {missing}. All heads are measured nevertheless."
    )


def _stacks_missing(estimate: "Estimate", plan: "Plan") -> list[str]:
    """The stacks of which not all layers are kept, with those that are."""
    missing = []
    for name, layers in estimate.stacks.items():
        kept = plan.stacks[name]
        if len(kept) < len(layers):
            but = f" (but for {listed(kept, len(layers))})" if kept else ""
            missing.append(f"“{name}”{but}")
    return missing

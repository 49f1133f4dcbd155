"""A page with nothing but the sinks of the trace on show: control, sentences, neutral prompt."""

import numpy as np
import streamlit as st

from pages.shared import neutral_prompt, selection, session, sink_sentences, sinks
from vl_core.head_stats import SPECIAL_SHARE
from vl_core.sinks import mean_row


def main() -> None:
    """Draw what a page of attention and a page of heads would, and tell what they would use."""
    trace = session.trace()
    chosen = selection.current()
    stack = trace.stacks[chosen.stack]
    layer = None if chosen.all_layers else chosen.layer
    shown = sinks.choice(trace, stack)
    sink_sentences.of_rows(shown, layer, chosen.head, chosen.tokens, chosen.direction)
    sink_sentences.of_heads(shown, chosen.layer, chosen.head)
    row = mean_row(shown.stack, layer, chosen.head, list(chosen.tokens))
    st.text(f"uses {shown.stack.name}")
    st.text("row " + " ".join(f"{share:.4f}" for share in row))
    st.text(f"special share {np.nanmax(SPECIAL_SHARE.of(shown.stack), initial=0):.4f}")
    neutral_prompt.draw(trace, stack, layer, chosen.head, "here", chosen.picture_view)


if __name__ == "__main__":
    main()

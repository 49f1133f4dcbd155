"""Overview: what was asked, what the model saw and said, and where to look next."""

import streamlit as st

from pages.shared import about_trace, frame, permalink, requests, session, tour_box
from pages.shared.comparing import pin_bar
from pages.shared.components.summary import summary
from pages.shared.layout import escaped, heading
from vl_core.checkpoints import EMBEDDED_NAME
from vl_core.findings import accuracy

frame.guard()

EMBEDDED = """
A small transformer in the style of KD-VLP, re-implemented from the published description and
trained for this tool on generated scenes: a few shapes, eight colors, two sizes. It is not the
authors' model and claims no parity with it.

- **Good for**: learning what the views mean, on pictures whose right answer and exact object boxes
  are known; trying the tool on a laptop without a network.
- **Not good for**: photographs and questions in free words. It answers from a fixed list of colors,
  shapes, sizes, numbers, sides, yes and no, whatever you ask.
"""
VIEWS = [
    (
        "pages/heads.py",
        "Heads",
        "Which heads connect words and image? Statistics of every head in every layer.",
    ),
    (
        "pages/attention.py",
        "Attention",
        "Point at a word or a patch and see what it looks at, in any layer and head.",
    ),
    (
        "pages/hidden_states.py",
        "Hidden states",
        "Follow words and patches as they move through the layers.",
    ),
]
MORE = [
    (
        "pages/data_sets.py",
        "Data sets",
        "Page through multiple choice in VCR's format, sources in WebQA's, and sets of your own.",
    ),
    (
        "pages/compare.py",
        "Compare",
        "Pin two examples and see where heads and words behave differently.",
    ),
]

heading(
    "See where a vision-language model looks",
    "A picture and a question went through the model; every attention head and every layer "
    "of that one pass was kept.",
)
tour_box.offer()
shown, trace = session.request(), session.trace()
with st.container(border=True):
    summary(trace, requests.in_its_place(shown) if shown.instead else "")
pin_bar.draw()
is_embedded = trace.provenance.model_id == EMBEDDED_NAME
if is_embedded:
    share = accuracy()
    measured = f"{100 * share:.0f} % of new questions about those rightly, and " if share else ""
    st.caption(
        "This model knows only generated scenes of colored shapes: it answers "
        f"{measured}all else with nonsense."
    )
elif len(trace.stacks) > 1:
    st.caption(escaped(about_trace.parts_sentence(trace)))

for row in (VIEWS, MORE):
    for column, (page, title, sentence) in zip(st.columns(len(row)), row, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.page_link(page, label=f"**{title}**", query_params=permalink.parameters())
            st.caption(sentence)

title = "What this model is, and what it is good for" if is_embedded else "What was run and kept"
with st.expander(title, icon=":material/info:"):
    st.markdown(EMBEDDED if is_embedded else about_trace.no_claim(trace.provenance))
    if not is_embedded:
        st.markdown(about_trace.parts_table(trace))
    st.markdown(about_trace.provenance_table(trace.provenance))
    st.markdown(about_trace.fidelity_table(trace.provenance))

"""Overview: what was asked, what the model saw and said, and where to look next."""

import streamlit as st

from pages.shared import frame, permalink, requests, session, tour_box
from pages.shared.components.summary import summary
from pages.shared.layout import escaped, heading
from vl_core.findings import accuracy
from vl_core.trace import Provenance

frame.guard()

# What each figure of a trace's fidelity compares, its unit, and what is good.
FIDELITY = {
    "output_on_off": "Largest difference of any output of the model, capture on against off, in "
    "the outputs' own unit; measured when the model was loaded. Wanted: 0.",
    "weights_vs_eager": "Largest share of a row's attention that capture puts elsewhere than the "
    "model's own plain attention; measured when the model was loaded. Good: below 1e-5; a model "
    "that exceeds 1e-3 is refused.",
    "row_reconstruction": "Kept weights times values against each layer's own attention output, on "
    "sampled rows of this run, relative to its size. Good: below 2e-3, what half precision rounds "
    "off the queries and keys that are kept.",
}


def _provenance_table(provenance: Provenance) -> str:
    rows = {
        "Model": provenance.model_id,
        "Weights (SHA-256)": provenance.weights_hash[:16],
        "Number format": f"{provenance.dtype} on {provenance.device}",
        **provenance.versions,
    }
    lines = [f"| {escaped(name)} | {escaped(value)} |" for name, value in rows.items()]
    return "\n".join(["| Where this comes from | |", "|---|---|", *lines])


def _fidelity_table(provenance: Provenance) -> str:
    lines = [
        f"| {escaped(name.replace('_', ' '))} | {escaped(f'{value:.1g}')} "
        f"| {escaped(FIDELITY.get(name, ''))} |"
        for name, value in provenance.fidelity.items()
    ]
    head = "| Is what was kept what the model did? | | 0 is perfect |"
    return "\n".join([head, "|---|---|---|", *lines])


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

heading(
    "See where a vision-language model looks",
    "A picture and a question went through the model; every attention head and every layer "
    "of that one pass was kept.",
)
tour_box.offer()
shown, trace = session.request(), session.trace()
with st.container(border=True):
    summary(trace, requests.in_its_place(shown) if shown.instead else "")
share = accuracy()
measured = f"{100 * share:.0f} % of new questions about those rightly, and " if share else ""
st.caption(
    "This model knows only generated scenes of colored shapes: it answers "
    f"{measured}all else with nonsense."
)

for column, (page, title, sentence) in zip(st.columns(3), VIEWS, strict=True):
    with column, st.container(border=True, height="stretch"):
        st.page_link(page, label=f"**{title}**", query_params=permalink.parameters())
        st.caption(sentence)

with st.expander("What this model is, and what it is good for", icon=":material/info:"):
    st.markdown(
        "A small transformer in the style of KD-VLP, re-implemented from the published "
        "description and trained for this tool on generated scenes: a few shapes, eight colors, "
        "two sizes. It is not the authors' model and claims no parity with it.\n\n"
        "- **Good for**: learning what the views mean, on pictures whose right answer and exact "
        "object boxes are known; trying the tool on a laptop without a network.\n"
        "- **Not good for**: photographs and questions in free words. It answers from a fixed "
        "list of colors, shapes, sizes, numbers, sides, yes and no, whatever you ask."
    )
    st.markdown(_provenance_table(trace.provenance))
    st.markdown(_fidelity_table(trace.provenance))

"""Data sets: items with their candidates or sources, what the model makes of them, the way in."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared import foreign, frame, session
from pages.shared.data_sets import browsing, set_figures, set_item, set_list, sets
from pages.shared.layout import escaped, heading, how_to_read
from vl_core.datasets import Dataset
from vl_core.errors import VLError

frame.guard()

FIELDS = 3  # of the filter, at most
ABOUT = "Choose an item, see how the model scores each candidate or source, and look inside."
HOW_TO_READ = """
- **Look inside** puts one example on show: the picture with the question and one candidate, or one
  source. All pages then show what the model did with exactly that; the bar above them leads to the
  next candidate, the other task and the next item, while layer and head stay.
- **Score**: how well the model finds a candidate or a source to fit; the larger, the better. What
  number it is depends on the model: a logit, the probability of a match, a cosine, or the mean
  log-probability of a candidate's tokens. It compares within one question only.
- **Share**: the softmax over the scores of one question. It adds up to 100 %, and is no probability
  that the model is right.
- **Q→A**: the answer to the question is chosen among four. **QA→R**: given the right answer, the
  reason for it is chosen among four.
- **Right / wrong** (list and search): by all that is asked of an item; a tie at the top with a
  wrong candidate is not right. Sources are right if those scored above the threshold (*chosen*) are
  the right ones and no other. An answer without candidates is compared with the set's word for
  word. *Not yet known* are items that this model has not scored on this server since it started,
  those of which a right candidate or source could not be scored, and those whose truth the set
  keeps to itself. For a set with tensors of its own it is told by the set.
- Boxes are drawn where the set has them, outlines where it knows them. Their names stand in the
  texts, too.
"""
CAUTION = (
    "**A high score does not say why.** A model may choose rightly by a habit of the set, without "
    "the picture. *Shown to the model* in the sidebar puts a blank picture in its place."
)


def choose() -> None:
    """Which set; another one is looked at from its beginning."""
    st.session_state["set_name"] = browsing.current().name
    st.selectbox(
        "Data set",
        sets.names(),
        key="set_name",
        on_change=lambda: browsing.choose(st.session_state["set_name"]),
        width=230,
    )


def describe(data: Dataset) -> None:
    """What the set says of itself."""
    with st.expander("About this set", icon=":material/info:"):
        told = {"kind": data.kind, "items": f"{len(data):,}", **data.metadata}
        st.markdown(
            "\n".join(f"- {escaped(what)}: {escaped(said(one))}" for what, one in told.items())
        )


def said(value: object) -> str:
    """A value of a set's metadata, for reading."""
    if isinstance(value, dict):
        return ", ".join(f"{what} {said(one)}" for what, one in value.items())
    if isinstance(value, list):
        return " · ".join(map(str, value))
    return str(value)


def draw(data: Dataset) -> None:
    """The list with the chosen item beside it, and how often the model is right."""
    browsed = browsing.current()
    grid = st.grid(3, min_column_width=280)
    with grid.cell():
        set_list.draw(browsed)
    with grid.cell(column_span=2):
        set_item.draw(browsed)
        foreign.note_on_scores(browsed.name)
    set_figures.draw(browsed)
    describe(data)
    how_to_read(HOW_TO_READ, CAUTION)


def open_now(name: str, fields: DeltaGenerator) -> None:
    """Open a set; meanwhile nothing of another one stands below its name."""
    for _ in range(FIELDS):
        fields.empty()
    # In the place of all that was drawn of the last set. Not in a container of its own: browsers
    # would keep what stood further down in the one before.
    with st.empty():
        try:
            session.open_set(name)
        except VLError as error:
            st.error(escaped(str(error)), icon=":material/error:")
        else:
            st.rerun()


name = browsing.current().name
heading("How does the model do?", sets.about(name) or ABOUT)
fields = st.container(horizontal=True, vertical_alignment="bottom", key="set_filters")
with fields:
    choose()
if sets.is_opened(name):
    with fields:
        set_list.filters(browsing.current())
    with st.container():
        draw(sets.opened(name))
else:
    open_now(name, fields)

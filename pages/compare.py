"""Compare: two examples head by head and word by word, what is pinned and what is on show."""

import streamlit as st

from pages.shared import frame, selection, session
from pages.shared.comparing import (
    comparison_attention,
    comparison_cards,
    comparison_heads,
    comparison_offers,
    comparison_pair,
    pinned,
)
from pages.shared.comparing.comparison_pair import Pair
from pages.shared.layout import CAUTION, escaped, heading, how_to_read
from pages.shared.requests import Request
from vl_core.comparison import caution
from vl_core.errors import VLError

frame.guard()

HOW_TO_READ = """
**A** is what you pinned, **B** what is on show; every difference is **B minus A**.

- **Heads**: the same statistic of both, on one color scale from the lowest to the highest head of
  the two. The third map has a scale of its own: red heads do more of it in B, blue ones in A, and
  0 is in the middle. Its colors reach to a hundredth of the scale of A and B at least, so that next
  to nothing stays pale.
- **Words of both**: a word of A is a word of B if both texts have it in the same order (a longest
  common subsequence of the two). What the model answers is matched by itself, and so are special
  tokens.
- **Looks at**: the row of a word, or the mean of several rows, in A and in B on one color scale.
  Each row adds up to 100 % over *all* tokens; what falls on tokens that the other example has not
  is listed beside it. The difference is in percentage points of all attention.
- **Is looked at by**: the column of a word, or the mean of several columns: which share of its own
  attention each token gives to it. These shares come from different rows and do not add up to
  100 %; the table has their means.
- **Pictures** are laid over each other only where they have one size and are cut into the same
  patches.
"""
DIFFERENCES = (
    "**A difference between two examples is only that.** Nothing here tests whether it is more "
    "than chance: another question, another picture or another candidate may show another one. To "
    "say something of a head, look at many examples."
)


def begin() -> None:
    """Nothing is pinned: how to pin, and comparisons that are ready."""
    with st.container(border=True):
        st.markdown(
            "Nothing is pinned yet. Choose a comparison below, or pin what is on show as **A** and "
            "put another example on show."
        )
        st.button(
            "Pin what is on show",
            key="pin",
            icon=":material/keep:",
            on_click=pinned.pin_what_is_on_show,
        )
    st.subheader("Ready comparisons", anchor=False)
    comparison_offers.draw(session.request(), session.trace())


def compare(one: Request) -> None:
    """Both, or why one of them cannot be shown."""
    try:
        pair = comparison_pair.pair(one)
        chosen = selection.current()
        problem = pair.why_not_by_heads(chosen.stack)
        comparison_cards.draw(pair, {"tokens": ()} if problem else pins_in_a(pair, chosen))
    except VLError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        st.button("Unpin A", icon=":material/keep_off:", key="unpin", on_click=pinned.unpin)
        return
    if pair.requests[0] == pair.requests[1]:
        st.info("A and B are the same example. Put another one on show, or choose a comparison.")
        comparison_offers.draw(session.request(), session.trace())
        return
    comparison_heads.choose(pair.traces[1], chosen)
    draw(pair, chosen, problem)


def pins_in_a(pair: Pair, chosen: selection.Selection) -> dict[str, tuple[int, ...]]:
    """Where the chosen words stand in A, by the selection's field that pins them."""
    return {pair.pins(chosen): tuple(pair.chosen_words(chosen)[:, 0].tolist())}


def draw(pair: Pair, chosen: selection.Selection, problem: str) -> None:
    """Heads and words of both, as far as these have counterparts."""
    if problem:
        st.info(escaped(problem), icon=":material/info:")
        return
    if said := caution(*pair.traces):
        st.warning(escaped(said), icon=":material/warning:")
    comparison_heads.draw(pair, chosen)
    comparison_attention.draw(pair, chosen)


heading(
    "What differs between two examples?",
    "A is pinned, B is on show. Their heads are compared one by one, and the attention of the "
    "words that both have.",
)
now = pinned.current()
if now is None:
    begin()
else:
    compare(now)
how_to_read(HOW_TO_READ, f"{CAUTION}\n\n{DIFFERENCES}")

"""The candidates or sources of an item, with what the model thinks of each and the way inside."""

import math

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared import model_picker, said
from pages.shared.comparing import pin_bar
from pages.shared.data_sets import set_asking, set_picture, set_scores, set_show
from pages.shared.data_sets.browsing import Browsed
from pages.shared.data_sets.set_scores import Judged
from pages.shared.data_sets.sets import SOURCES, Place
from pages.shared.layout import cut, escaped, percent
from vl_core.datasets import Asked
from vl_core.errors import VLError

CARD = 190  # pixels, the least that a card takes
FOOT = 310  # pixels of a candidate's score and buttons, which stand below it where it is narrow
LONGEST = 360  # characters of a source's text on a card
HELP = (
    "The larger the score, the better the model finds it to fit. A score has no unit. The share is "
    "the softmax over the scores of this question: a way to compare them, and no probability that "
    "the model is right."
)


def rows(browsed: Browsed, place: int, asked: Asked, problem: str, line: DeltaGenerator) -> None:
    """Candidates, each with the model's score; the right one and the model's choice marked.

    problem: why none of them can be read, if so. line: where it is said what the numbers are.
    """
    judged = None if problem else _judged(browsed, place)
    if judged is not None:
        line.caption("Score and share", help=HELP, width="content")
    with st.container(gap="xsmall"):
        for number in range(len(asked.options)):
            _row(Place(browsed.item, place, number), browsed.name, asked, judged, problem)


def cards(browsed: Browsed, place: int, asked: Asked, line: DeltaGenerator) -> None:
    """Sources as cards, the same way; those that cannot be read say why."""
    judged = _judged(browsed, place)
    if judged is not None:
        line.caption("Score of each source", help=HELP, width="content")
    grid = st.grid(min_column_width=CARD, key="set_cards")
    for number in range(len(asked.options)):
        # Directly in the grid: what stands in a cell() of it does not reach down to the end.
        with grid.container(
            border=True,
            height="stretch",
            vertical_alignment="distribute",
            key=f"option_{number + 1}",
        ):
            _card(Place(browsed.item, place, number), browsed.name, asked, judged)


def _judged(browsed: Browsed, place: int) -> Judged | None:
    """What the model made of it; scored now where that is quick, else when it is asked for."""
    model = model_picker.chosen()
    found = set_scores.judged(model, browsed.name, browsed.item, place)
    if found is not None or not set_asking.is_wanted(model, "score these"):
        return found
    try:
        with st.spinner("Scoring"):
            return set_scores.score(model, browsed.name, browsed.item).get(place)
    except VLError as error:
        st.info(escaped(str(error)), icon=":material/info:")
        return None


def _row(place: Place, name: str, asked: Asked, judged: Judged | None, problem: str) -> None:
    """A candidate in a line, or in two where there is no room."""
    option = asked.options[place.option]
    problem = problem or _why_unread(judged, option.name)
    with st.container(
        border=True,
        horizontal=True,
        vertical_alignment="center",
        horizontal_alignment="right",
        gap="xsmall",
        key=f"option_{place.option + 1}",
    ):
        with st.container(gap=None, width="stretch"):
            st.markdown(f"**{place.option + 1}** {escaped(option.title)}")
            _marks(name, place, asked, judged)
        with st.container(
            horizontal=True,
            vertical_alignment="center",
            horizontal_alignment="right",
            gap="xsmall",
            wrap=False,
            width=FOOT,
        ):
            if judged is not None:
                _score(judged, place.option, option.name, has_share=True)
            look_inside(name, place, problem)
            pin_bar.of_option(name, place, problem)


def _card(place: Place, name: str, asked: Asked, judged: Judged | None) -> None:
    """A source: what it is at the top, what the model makes of it and the buttons at the end."""
    option = asked.options[place.option]
    with st.container(gap="xsmall"):
        problem = _source(name, place, option.title) or _why_unread(judged, option.name)
        _marks(name, place, asked, judged)
    with st.container(gap="xsmall"):
        if judged is not None:
            _score(judged, place.option, option.name, has_share=False)
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            look_inside(name, place, problem)
            pin_bar.of_option(name, place, problem)


def _source(name: str, place: Place, title: str) -> str:
    """A picture with its title, or a text; returns why it cannot be read, if so."""
    problem, picture = "", None
    try:
        picture = set_picture.card(name, place)
    except VLError as error:
        problem = str(error)
        st.caption(f":material/error: {escaped(problem)}")
    if picture is not None:
        st.image(picture, alt=title, width="stretch")
    st.markdown(f"**{place.option + 1}** {escaped(cut(title, LONGEST))}")
    return problem


def _why_unread(judged: Judged | None, option: str) -> str:
    """Why this one could not be read when the model was to score it; nothing if it could."""
    return "" if judged is None else judged.unread.get(option, "")


def _marks(name: str, place: Place, asked: Asked, judged: Judged | None) -> None:
    marks = []
    if asked.right is not None and place.option in asked.right:
        marks.append(":green-badge[:material/check: right]")
    if judged is not None:
        marks += [f":blue-badge[{one}]" for one in _merits(name, place.option, asked, judged)]
    if set_show.is_on_show(name, place):
        marks.append(":violet-badge[on show]")
    if marks:
        st.markdown(" ".join(marks))


def _merits(name: str, option: int, asked: Asked, judged: Judged) -> list[str]:
    """What the model's scores make of an option: which it chooses, and which is the highest."""
    found, top = [], judged.scored.top
    threshold = set_scores.threshold(model_picker.chosen(), name)
    if asked.name == SOURCES and threshold is not None and judged.scored.scores[option] > threshold:
        found.append("chosen")
    if option in top:
        alone = "highest score" if asked.name == SOURCES else "the model's choice"
        found.append(alone if len(top) == 1 else "tied for the highest score")
    return found


def _score(judged: Judged, place: int, option: str, *, has_share: bool) -> None:
    score = judged.scored.scores[place]
    if math.isnan(score):
        reason = _why_unread(judged, option)
        st.caption("not scored", help=escaped(reason) or None)
        return
    text = f"**{said.score(score)}**"
    if has_share:
        share = percent(float(set_scores.shares(judged.scored)[place]))
        text += f" :small[:gray[{escaped(share)}]]"
    st.markdown(text, width="stretch")


def look_inside(name: str, place: Place, problem: str) -> None:
    """The button that puts this one on show, with all that the model does with it.

    problem: why it cannot be read, if so.
    """
    st.button(
        "Look inside",
        key=f"look_inside_{place.option}",
        icon=":material/search:",
        help=escaped(problem) or None,
        disabled=bool(problem) or not set_show.is_ready(name) or set_show.is_on_show(name, place),
        on_click=lambda: set_show.put(set_show.request(name, place)),
    )

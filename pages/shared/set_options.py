"""The candidates or sources of an item, with what the model thinks of each and the way inside."""

import math

import streamlit as st

from pages.shared import model_picker, models, pin_bar, said, set_picture, set_scores, set_show
from pages.shared.browsing import Browsed
from pages.shared.layout import escaped, percent
from pages.shared.progress import POLL
from pages.shared.set_scores import Judged
from pages.shared.sets import SOURCES, Place
from vl_core.checkpoints import EMBEDDED_NAME
from vl_core.datasets import Asked
from vl_core.errors import VLError

CARD = 190  # pixels, the least that a card takes
SCORE = 130  # pixels of the column of scores
LONGEST = 360  # characters of a source's text on a card
HELP = (
    "The larger the score, the better the model finds it to fit. A score has no unit. The share is "
    "the softmax over the scores of this question: a way to compare them, and no probability that "
    "the model is right."
)


def draw(browsed: Browsed, place: int, asked: Asked) -> None:
    """Each with the model's score; the right ones and the model's choice marked."""
    judged = _judged(browsed, place)
    if asked.name == SOURCES:
        _cards(browsed, place, asked, judged)
    else:
        for number in range(len(asked.options)):
            _row(Place(browsed.item, place, number), browsed.name, asked, judged)


def _judged(browsed: Browsed, place: int) -> Judged | None:
    """What the model made of it; scored now where that is quick, else when it is asked for."""
    model = model_picker.chosen()
    found = set_scores.judged(model, browsed.name, browsed.item, place)
    if found is not None or not _is_wanted(model):
        return found
    try:
        with st.spinner("Scoring"):
            return set_scores.score(model, browsed.name, browsed.item).get(place)
    except VLError as error:
        st.info(escaped(str(error)), icon=":material/info:")
        return None


def _is_wanted(model: str) -> bool:
    """Whether the model shall score now what is looked at; says what it takes where it cannot."""
    if not models.is_ready(model):
        st.caption(
            f"**{escaped(model)}** is not loaded: load it under *Model* in the sidebar to have it "
            "score these."
        )
        return False
    if not set_scores.is_quick(model):
        return st.button(f"Let {escaped(model)} score these", icon=":material/scoreboard:")
    if not models.is_loaded(EMBEDDED_NAME):
        _wait_for_embedded()
        return False
    return True


@st.fragment(run_every=POLL)
def _wait_for_embedded() -> None:
    """The first page of a server does not wait for the model, which comes some seconds later."""
    if models.is_loaded(EMBEDDED_NAME):
        st.rerun()
    st.caption("The scores follow as soon as the embedded model is loaded …")


def _row(place: Place, name: str, asked: Asked, judged: Judged | None) -> None:
    """A candidate in a line."""
    option = asked.options[place.option]
    with st.container(
        border=True,
        horizontal=True,
        vertical_alignment="center",
        gap="small",
        key=f"option_{place.option + 1}",
    ):
        with st.container(gap=None, width="stretch"):
            st.markdown(f"**{place.option + 1}** {escaped(option.title)}")
            _marks(name, place, asked, judged)
        if judged is not None:
            with st.container(width=SCORE):
                _score(judged, place.option, option.name, has_share=True)
        look_inside(name, place)
        pin_bar.of_option(name, place)


def _cards(browsed: Browsed, place: int, asked: Asked, judged: Judged | None) -> None:
    grid = st.grid(min_column_width=CARD, gap="small", key="set_cards")
    for number, option in enumerate(asked.options):
        where = Place(browsed.item, place, number)
        with (
            grid.cell(),
            st.container(border=True, height="stretch", gap="small", key=f"option_{number + 1}"),
        ):
            _source(browsed.name, where, option.title)
            _marks(browsed.name, where, asked, judged)
            if judged is not None:
                _score(judged, number, option.name, has_share=False)
            look_inside(browsed.name, where)
            pin_bar.of_option(browsed.name, where)


def _source(name: str, place: Place, title: str) -> None:
    """A picture with its title, or a text."""
    try:
        picture = set_picture.thumbnail(name, place)
    except VLError as error:
        st.caption(f":material/error: {escaped(str(error))}")
        picture = None
    if picture is not None:
        st.image(picture, alt=title, width="stretch")
    text = title if len(title) <= LONGEST else title[: LONGEST - 1].rstrip() + "…"
    st.markdown(f"**{place.option + 1}** {escaped(text)}")


def _marks(name: str, place: Place, asked: Asked, judged: Judged | None) -> None:
    marks = []
    if asked.right is not None and place.option in asked.right:
        marks.append(":green-badge[:material/check: right]")
    if judged is not None and judged.scored.best == place.option:
        word = "highest score" if asked.name == SOURCES else "the model's choice"
        marks.append(f":blue-badge[{word}]")
    if set_show.is_on_show(name, place):
        marks.append(":violet-badge[on show]")
    if marks:
        st.markdown(" ".join(marks))


def _score(judged: Judged, place: int, option: str, *, has_share: bool) -> None:
    score = judged.scored.scores[place]
    if math.isnan(score):
        reason = judged.unread.get(option, "")
        st.caption("not scored", help=escaped(reason) or None, width="content")
        return
    text = f"**{said.score(score)}**"
    if has_share:
        share = percent(float(set_scores.shares(judged.scored)[place]))
        text += f"  \n:small[:gray[{escaped(share)} share]]"
    st.markdown(text, width="content", help=HELP)


def look_inside(name: str, place: Place) -> None:
    """The button that puts this one on show, with all that the model does with it."""
    st.button(
        "Look inside",
        key=f"look_inside_{place.option}",
        icon=":material/search:",
        disabled=not set_show.is_ready(name) or set_show.is_on_show(name, place),
        on_click=lambda: set_show.put(set_show.request(name, place)),
    )

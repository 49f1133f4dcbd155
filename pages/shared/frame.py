"""The frame around every page: navigation, the sidebar, and the one place where errors are shown.

A link straight to a page, opened in a fresh process, makes Streamlit run that page's file alone.
`guard` notices and draws the frame first.
"""

import gc
import logging

import streamlit as st

from pages.shared import foreign, in_place, models, permalink, session, sidebar, tour_box
from pages.shared.data_sets import browsing, set_bar, set_steps
from pages.shared.layout import escaped
from vl_core.errors import VLError

LOG = logging.getLogger(__name__)
PAGES = [
    ("pages/overview.py", "Overview", "home"),
    ("pages/data_sets.py", "Data sets", "dataset"),
    ("pages/heads.py", "Heads", "grid_on"),
    ("pages/attention.py", "Attention", "center_focus_strong"),
    ("pages/hidden_states.py", "Hidden states", "scatter_plot"),
    ("pages/compare.py", "Compare", "compare_arrows"),
]


def main() -> None:
    """Draw the whole app: navigation, sidebar, the page that was asked for."""
    st.set_page_config(layout="wide", page_icon="docs/icon.svg")
    pages = [
        st.Page(file, title=title, icon=f":material/{icon}:", default=title == "Overview")
        for file, title, icon in PAGES
    ]
    page = st.navigation(pages, position="top")
    st.logo("docs/logo.svg", size="large")
    st.session_state["framed"] = True
    try:
        _draw(page)
    finally:
        st.session_state["framed"] = False
    _settle()
    models.warm_up()


def guard() -> None:
    """Draw the frame if this page's file was run on its own."""
    if not st.session_state.get("framed"):
        main()
        st.stop()


def _draw(page: "st.Page") -> None:
    try:
        session.add_own_modules()
        file = next(file for file, title, _ in PAGES if title == page.title)
        permalink.follow(file)
        sidebar.draw()
        set_steps.recover(session.analyse_if_asked())
        permalink.settle()
        _show_problem()
        tour_box.draw()
        if file != browsing.PAGE:
            foreign.note()
            set_bar.draw()
        in_place.note()
        page.run()
        permalink.write(file)
    except VLError as error:
        _say(str(error))
    except Exception:  # whatever happens, a visitor sees a sentence and no traceback
        LOG.exception("a page failed")
        _say("Something went wrong on our side; the server's log says what. Try another example.")


def _show_problem() -> None:
    problem = session.problem()
    if problem:
        _say(problem)


def _say(message: str) -> None:
    st.error(escaped(message), icon=":material/error:")


@st.cache_resource(show_spinner=False)
def _settle() -> bool:
    """Spare the garbage collector what lives as long as the server.

    Streamlit collects after every run while it holds back its own messages; with the imports
    frozen a click is answered several times sooner.
    """
    gc.collect()
    gc.freeze()
    return True

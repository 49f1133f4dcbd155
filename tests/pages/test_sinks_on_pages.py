"""Leaving sinks out, on the pages themselves: never silently."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import session
from tests.builders import random_trace
from tests.packed import head_map_of
from vl_core import head_stats, sinks

APP = str(Path(__file__).parents[2] / "streamlit_app.py")


@pytest.fixture
def app(monkeypatch):
    """The app on a trace with special tokens."""
    trace = random_trace()
    monkeypatch.setattr(session, "_shown", lambda: (f"trace {id(trace)}", trace))
    return trace, AppTest.from_file(APP, default_timeout=120).run()


def said(app):
    """All text on the page."""
    return " ".join(element.value for element in app.markdown)


@pytest.mark.parametrize("page", ["pages/attention.py", "pages/heads.py"])
def test_the_page_says_what_sinks_take_and_what_was_left_out(app, page):
    """First as numbers beside everything; left out, as what was removed."""
    _, opened = app
    opened.switch_page(page).run()
    assert " sink" in said(opened)
    assert "Left out:" not in said(opened)

    opened.segmented_control(key="sinks").set_value("left out").run()

    assert not opened.exception
    assert not opened.error
    assert "Left out:" in said(opened)


def test_statistics_are_those_of_what_is_left(app):
    """The map shows the core's own numbers of the stack without its sinks."""
    trace, opened = app
    stack = trace.stacks["encoder"]
    found = sinks.find(trace, "encoder")
    kinds = found.present(sinks.KINDS)
    wanted = head_stats.TEXT_TO_IMAGE_MASS.of(sinks.without(stack, found.keys(kinds)))

    opened.switch_page("pages/heads.py").run()
    opened.segmented_control(key="sinks").set_value("left out").run()

    assert head_map_of(opened)["values"] == pytest.approx(wanted, nan_ok=True, abs=1e-5)
    assert not np.allclose(wanted, head_stats.TEXT_TO_IMAGE_MASS.of(stack), equal_nan=True)

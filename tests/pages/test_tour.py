"""The tour leads from page to page; what it says of numbers comes from what is on show."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import permalink, requests, tour_figures
from pages.shared.tour_steps import STEPS
from tests.browser import ROOT
from vl_core.datasets.gallery import WORKED_EXAMPLE
from vl_core.trace import Trace


@pytest.fixture
def app():
    """The app, not yet run."""
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=180)


def said(app):
    """All text on the page outside the sidebar, as a reader sees it."""
    return " ".join(element.value for element in app.main.markdown).replace("\\", "")


def press(app, label):
    """Press the button with this label."""
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    assert not app.error


def heading(number):
    """What the tour's box calls a stop."""
    return f"**Step {number} of {len(STEPS)}: {STEPS[number - 1].title}**"


def test_the_tour_leads_through_all_stops_and_back(app):
    """Each stop is on its page, with its picture and what it wants to be selected."""
    app.run()
    press(app, "Take the tour")
    for number, step in enumerate(STEPS, 1):
        assert heading(number) in said(app)
        assert step.text in said(app)
        assert app.query_params["tour"] == str(number)
        assert app.query_params["example"] == step.example
        assert app.query_params.get("instead", "") == step.instead
        for name, value in step.shows.items():
            assert app.query_params[name] == value
        if number < len(STEPS):
            press(app, "Next")

    assert "Next" not in [button.label for button in app.button]
    press(app, "Back")
    assert heading(len(STEPS) - 1) in said(app)


@pytest.mark.parametrize("number", range(1, len(STEPS) + 1))
def test_a_link_leads_to_a_stop(app, number):
    """The number is enough; what belongs to it is put into the address."""
    step = STEPS[number - 1]
    app.query_params["tour"] = str(number)
    app.switch_page(step.page).run()

    assert not app.exception
    assert not app.error
    assert heading(number) in said(app)
    assert app.session_state["request"] == step.request
    assert {name: app.query_params[name] for name in step.shows} == dict(step.shows)


def test_the_head_of_the_tour_is_found_in_the_trace(app):
    """Whatever weights ship: the head with the highest value of the tour's statistic."""
    stack = Trace.load(WORKED_EXAMPLE).stacks["encoder"]
    values = stack.head_stats[tour_figures.FINDING]

    app.query_params["tour"] = "2"
    app.switch_page("pages/heads.py").run()

    layer, head = (int(app.query_params[name]) - 1 for name in ("layer", "head"))
    assert values[layer, head] == values.max()
    assert f"Selected: layer {layer + 1}, head {head + 1}, with" in said(app)


def test_what_a_visitor_changes_at_a_stop_can_be_set_up_again(app):
    """Another head, another view: one button brings back what the text speaks of."""
    app.query_params["tour"] = "2"
    app.switch_page("pages/heads.py").run()
    before = dict(app.query_params)
    app.segmented_control(key="heads_view").set_value("z").run()
    app.selectbox(key="heads_statistic").set_value("entropy").run()
    assert dict(app.query_params) != before
    assert app.query_params["tour"] == "2"

    press(app, "Set up again")
    assert dict(app.query_params) == before


def test_the_tour_can_be_left_anywhere(app):
    """What is on show stays; the box and its part of the address go, and the way in is there."""
    app.query_params["tour"] = "4"
    app.switch_page("pages/heads.py").run()
    press(app, "End the tour")

    assert "Step 4" not in said(app)
    assert "tour" not in app.query_params
    assert app.query_params["instead"] == requests.BLANK
    app.switch_page("pages/overview.py").run()
    assert "Take the tour" in [button.label for button in app.button]


def test_going_back_over_half_a_step_shows_the_stop_of_that_page(app, monkeypatch):
    """The old page with the next stop's address is what the browser's history has between them."""
    app.query_params["tour"] = "3"
    app.switch_page(STEPS[2].page).run()

    monkeypatch.setattr(permalink, "_is_going_back", lambda: True)
    app.switch_page(STEPS[1].page).run()

    assert heading(2) in said(app)
    assert app.query_params["statistic"] == "grounding"


@pytest.mark.parametrize("number", ["0", "7", "-1", "x", "2,3", ""])
def test_a_stop_that_does_not_exist_is_no_tour(app, number):
    """A mistyped link shows the page without it."""
    app.query_params["tour"] = number
    app.run()

    assert not app.exception
    assert not app.error
    assert "Step" not in said(app)
    assert "tour" not in app.query_params


def test_no_figure_stands_in_the_texts():
    """They are measured anew wherever they are shown; a text would not follow other weights."""
    for step in STEPS:
        assert not re.search(r"[1-9]|%", step.title + step.text)

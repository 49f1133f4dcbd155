"""What is selected is shared by all pages, fits the trace, and survives in a link."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

APP = str(Path(__file__).parents[2] / "streamlit_app.py")


@pytest.fixture
def app():
    """The app, not yet run."""
    return AppTest.from_file(APP, default_timeout=120)


def test_the_app_opens_on_the_worked_example_with_a_link_to_it(app):
    """Without any input there is an example, and the address names all of it."""
    app.run()

    assert not app.exception
    assert not app.error
    assert app.query_params["example"] == "star-by-moon"
    assert app.query_params["question"] == app.session_state["question"]
    assert {"model", "statistic", "layer", "head", "direction", "tokens"} <= set(app.query_params)


def test_a_link_is_followed(app):
    """Layer, head and tokens count from 1 in the address and from 0 inside."""
    app.query_params["layer"] = "2"
    app.query_params["head"] = "5"
    app.query_params["tokens"] = "3,4"
    app.query_params["direction"] = "looked_at_by"

    app.run()

    selection = app.session_state["selection"]
    assert (selection["layer"], selection["head"], selection["tokens"]) == (1, 4, (2, 3))
    assert app.query_params["layer"] == "2"
    assert app.query_params["head"] == "5"
    assert app.query_params["tokens"] == "3,4"
    assert app.query_params["direction"] == "looked_at_by"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layer", "99"),
        ("layer", "-1"),
        ("layer", "1e9"),
        ("head", "0"),
        ("head", "<script>"),
        ("tokens", "999,0,x"),
        ("tokens", "1-999999999999,5-2,-3,1-2-3"),
        ("keys", "1-999999999999"),
        ("position", "upside down"),
        ("picture_view", "<script>"),
        ("direction", "sideways"),
        ("statistic", "no such thing"),
        ("view", "upside down"),
        ("state", "12345"),
        ("stack", "../../etc"),
    ],
)
def test_a_link_with_nonsense_shows_the_nearest_thing_there_is(app, name, value):
    """No address can make the app fail."""
    app.query_params[name] = value

    app.run()

    assert not app.exception
    assert not app.error


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("example", "nobody", "no example called"),
        ("scene", "twelve", "is no scene"),
        ("scene", "²", "is no scene"),
        ("scene", "-5", "is no scene"),
        ("image", "0" * 64, "Upload the picture"),
        ("model", "/etc/passwd", "does not offer"),
    ],
)
def test_a_link_to_what_is_not_there_says_so_and_stays(app, name, value, sentence):
    """One sentence, never another visitor's picture, and the link can still be copied."""
    app.query_params.update({"question": "what color is the star?", "layer": "1", name: value})

    app.run()

    assert not app.exception
    assert len(app.error) == 1
    assert sentence in app.error[0].value.replace("\\", "")
    assert app.query_params[name] == value
    assert app.query_params["question"] == "what color is the star?"
    assert "selection" not in app.session_state


def test_a_refused_link_is_said_once_and_gives_way_to_what_is_chosen_next(app):
    """The sentence goes with the next run; the address follows when something else is shown."""
    app.query_params.update({"example": "nobody", "question": "what?"})
    app.run()

    app.sidebar.selectbox(key="entry").set_value("three-hearts").run()

    assert not app.error
    assert app.query_params["example"] == "three-hearts"


def test_going_back_shows_what_was_on_show(app):
    """An address that was not written by the page is followed, also in the middle of a visit."""
    app.run()
    first = dict(app.query_params)
    app.sidebar.selectbox(key="entry").set_value("three-hearts").run()
    assert app.query_params["example"] == "three-hearts"

    for name in list(app.query_params):
        del app.query_params[name]
    app.query_params.update({k: v[0] if isinstance(v, list) else v for k, v in first.items()})
    app.run()

    assert app.query_params["example"] == "star-by-moon"
    assert app.sidebar.text_input(key="question").value == "what color is the star?"
    assert app.sidebar.selectbox(key="entry").value == "star-by-moon"


def test_a_link_can_say_that_nothing_is_pinned_and_that_layers_are_averaged(app):
    """What is absent is said, too, so that defaults do not take its place."""
    app.query_params.update({"tokens": "none", "layer": "mean", "head": "mean"})

    app.run()

    selection = app.session_state["selection"]
    assert (selection["tokens"], selection["all_layers"], selection["head"]) == ((), True, None)
    assert app.query_params["tokens"] == "none"
    assert app.query_params["layer"] == "mean"
    assert app.query_params["head"] == "mean"


def test_the_question_survives_a_look_at_other_kinds_of_picture(app):
    """Going to Upload and back leaves a question in the field each time."""
    app.run()
    for source in ("upload", "gallery", "scene", "upload"):
        app.sidebar.selectbox(key="source").set_value(source).run()
        assert not app.exception
        if app.sidebar.text_input:
            assert app.sidebar.text_input(key="question").value == "what color is the star?"


def test_a_run_of_pinned_tokens_is_a_range_in_the_address(app):
    """A whole area of patches fits, in the order in which they were pinned."""
    app.query_params["tokens"] = "9,3-6,1"
    app.run()

    assert app.session_state["selection"]["tokens"] == (8, 2, 3, 4, 5, 0)
    assert app.query_params["tokens"] == "9,3-6,1"

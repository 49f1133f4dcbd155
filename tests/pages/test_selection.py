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
        ("image", "0" * 64, "Upload the picture"),
        ("model", "/etc/passwd", "does not offer"),
    ],
)
def test_a_link_to_what_is_not_there_says_so_and_shows_the_worked_example(
    app, name, value, sentence
):
    """One sentence, and never somebody else's picture or a file of the server."""
    app.query_params.update({"example": "star-by-moon", "question": "what color is the star?"})
    if name != "model":
        del app.query_params["example"]
    app.query_params[name] = value

    app.run()

    assert not app.exception
    assert len(app.error) == 1
    assert sentence in app.error[0].value.replace("\\", "")
    assert app.query_params["example"] == "star-by-moon"
